/**
 * The release before beside this one, as it words things: its consumers ask this release's ledger, registry and pools, its ledger
 * answers this release's consumers, and what it sent and wrote is still there. Chance of its own, so that the rest of a schedule
 * is what its seed always made.
 */
import { MINUTE_MS } from './clock.ts';
import { Dice } from './dice.ts';
import type { House } from './house.ts';
import { rephrase, type Words } from './random-words.ts';

interface ClaimedTask {
  request: Record<string, unknown> | string;
  body?: string;
}

/** A request is one JSON text, with its body. */
function requestAsText(task: ClaimedTask): void {
  if (typeof task.request === 'string') return;
  const { body, ...rest } = task.request;
  task.request = JSON.stringify({ ...rest, ...(body !== undefined && { body: { ...body, text: task.body } }) });
  delete task.body;
}

function without(object: Record<string, unknown>, ...names: readonly string[]): void {
  for (const name of names) delete object[name];
}

const OF_BEFORE: Words = {
  questions: {
    'ledger.claim': (batch: { claims: { task?: ClaimedTask }[] } & Record<string, unknown>) => {
      without(batch, 'awaitedUntil', 'delivered');
      for (const { task } of batch.claims) if (task !== undefined) requestAsText(task);
    },
    'ledger.settle': (settlements: { fallback?: Record<string, unknown> }[]) => {
      for (const { fallback } of settlements) if (fallback !== undefined) without(fallback, 'from');
    },
    'keys.lease': (request: { calls: unknown[] } & Record<string, unknown>) => {
      without(request, 'awaitedUntil', 'isBrief', 'mayWait');
      request.calls = request.calls.map((call) => (typeof call === 'string' ? { task: call } : call));
    },
    'keys.release': (release: { reports?: unknown[]; worked?: string[] } & Record<string, unknown>) => {
      for (const task of release.worked ?? []) release.reports?.push({ task, feedback: { kind: 'worked' } });
      without(release, 'worked', 'elsewhere');
    },
    'registry.route': (request: Record<string, unknown>) => without(request, 'awaitedUntil', 'mayWait'),
    'registry.report': (reports: Record<string, unknown>) => without(reports, 'elsewhere'),
  },
  answers: {
    'ledger.claim': (answers: Record<string, unknown>[]) => {
      for (const answer of answers) without(answer, 'service');
    },
    'registry.services': (catalog: Record<string, unknown>) => without(catalog, 'pausedUntil', 'deleted'),
  },
};

/** Columns that came later, as they stand in a row from before. */
const WITHOUT_LATER = 'UPDATE tasks SET life_ms = NULL, place = NULL, waits_since = NULL';

export function mixReleases(house: House, seed: number): void {
  const dice = new Dice(seed * 198_491_317);
  if (dice.chance(0.8)) return;
  const until = house.clock.now + dice.pick([dice.between(0, MINUTE_MS), dice.between(MINUTE_MS, 30 * MINUTE_MS)]);
  const isBefore = () => house.clock.now < until && dice.chance(0.5);
  rephrase(house, OF_BEFORE, isBefore);
  const { post } = house;
  const { afterSend } = post;
  post.afterSend = async (letters) => {
    for (const { body } of letters) if (isBefore()) without(body as Record<string, unknown>, 'line', 'server');
    await afterSend?.(letters);
  };
  if (dice.chance(0.5)) return;
  house.plan(Math.min(until, house.clock.now + dice.between(0, 5 * MINUTE_MS)), async () => {
    house.note('rows are as the release before wrote them');
    for (const db of house.storage.stores.values()) await house.clock.outside(db.prepare(WITHOUT_LATER).run());
    house.writes += 1;
  });
}
