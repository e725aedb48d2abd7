/**
 * Picks one of several servers for a call: one function an algorithm, all over the same offers, so a
 * service changes its algorithm without losing counts. Candidates have a place free and a circuit that
 * lets a call through. Pure.
 */
import type { BalancingAlgorithm } from '../../shared/service/definition.ts';
import { circuitState } from '../registry/servers/circuit.ts';
import { fadedEwmaMs } from '../registry/servers/metrics.ts';
import type { Offer } from '../registry/state.ts';
import { freePlaces } from './places.ts';

type Candidates = readonly Offer[];

/**
 * @param matching all available offers that the call could have, full ones included
 * @param open those of them that can take it now; at least one
 * @returns undefined when the one that it belongs to (sticky) is full
 */
export function pickOffer(
  algorithm: BalancingAlgorithm,
  matching: Candidates,
  open: Candidates,
  affinityKey: string | undefined,
  random: () => number,
  now: number,
): Offer | undefined {
  if (algorithm === 'sticky' && affinityKey !== undefined) return stickTo(matching, open, affinityKey, now);
  // Who was out and may be tried again is tried first: no algorithm would come to it by itself.
  const probe = open.find(({ circuit }) => circuitState(circuit, now) === 'half-open');
  return probe ?? PICKS[algorithm](open, random, now);
}

const PICKS: Record<BalancingAlgorithm, (open: Candidates, random: () => number, now: number) => Offer | undefined> = {
  'round-robin': (open) => least(open, ({ turn }) => turn),
  random: (open, random) => open[Math.floor(random() * open.length)],
  weighted: pickWeighted,
  'least-connections': pickLeastLoaded,
  'peak-ewma': pickQuickest,
  // Calls without an affinity key have no server of their own.
  sticky: pickLeastLoaded,
};

/** Smooth weighted turns: everybody earns its weight, the richest goes and pays for the round. */
function pickWeighted(open: Candidates): Offer | undefined {
  let total = 0;
  for (const offer of open) {
    const { weight } = offer.server.registration;
    offer.credit += weight;
    total += weight;
  }
  const richest = least(open, ({ credit }) => -credit);
  if (richest !== undefined) richest.credit -= total;
  return richest;
}

/** By what it would have with this call, so that weight counts among idle servers too. */
function pickLeastLoaded(open: Candidates): Offer | undefined {
  return least(open, ({ server }) => (server.inFlight + 1) / server.registration.weight);
}

/**
 * The lowest latency times calls under way. An idle server's latency fades with time, so that one that
 * was slow gets a single call now and then; one that has not answered yet counts as average.
 */
function pickQuickest(open: Candidates, _random: () => number, now: number): Offer | undefined {
  const known = open.filter(({ metrics }) => metrics.ewmaMs > 0);
  const meanMs = known.length === 0 ? 1 : known.reduce((sum, { metrics }) => sum + metrics.ewmaMs, 0) / known.length;
  return least(open, ({ metrics, inFlight, server }) => {
    if (inFlight === 0) return fadedEwmaMs(metrics, now) / server.registration.weight;
    return ((metrics.ewmaMs || meanMs) * (inFlight + 1)) / server.registration.weight;
  });
}

/** The affinity key's server while it is there; waits for it when it is full, goes to the next when it is gone. */
function stickTo(matching: Candidates, open: Candidates, affinityKey: string, now: number): Offer | undefined {
  const home = homeOf(matching, affinityKey, now);
  return home !== undefined && open.includes(home) && freePlaces(home) > 0 ? home : undefined;
}

export function homeOf(matching: Candidates, affinityKey: string | undefined, now: number): Offer | undefined {
  if (affinityKey === undefined) return undefined;
  const there = matching.filter(({ circuit }) => circuitState(circuit, now) !== 'open');
  return least(there, ({ server }) => rendezvous(affinityKey, server.id) / server.registration.weight);
}

/** Rendezvous hashing: each server draws a number for the key, the lowest wins; weights divide an exponential draw. */
function rendezvous(key: string, server: string): number {
  return -Math.log((hash(`${server} ${key}`) + 1) / (2 ** 32 + 1));
}

/** FNV-1a with the finalizer of MurmurHash3, which spreads keys that differ in their last character. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) {
    value = Math.imul(value ^ text.charCodeAt(index), 0x01000193);
  }
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return (value ^ (value >>> 16)) >>> 0;
}

/** The lowest by `measure`; among equals the one that was picked longest ago. */
function least(offers: Candidates, measure: (offer: Offer) => number): Offer | undefined {
  let best: Offer | undefined;
  let lowest = Number.POSITIVE_INFINITY;
  for (const offer of offers) {
    const value = measure(offer);
    if (best !== undefined && (value > lowest || (value === lowest && offer.turn >= best.turn))) continue;
    best = offer;
    lowest = value;
  }
  return best;
}
