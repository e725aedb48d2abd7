import { describe, expect, it } from 'vitest';
import { setMaintenance } from '../../callback/registry/members.ts';
import {
  earliestReleaseAt,
  noteReleased,
  noteResumed,
  noticeReturns,
  takeDueReleases,
} from '../../callback/registry/parked.ts';
import { setPaused } from '../../callback/registry/services.ts';
import { BEAT_MS, Fleet } from './fleet.ts';

/**
 * Parked tasks of a service and their release, a second at a time.
 * @param parked how many there are @param parksAgain of a released chunk, those that are parked again
 */
function run(fleet: Fleet, parked: number, seconds: number, parksAgain: (count: number) => number = () => 0) {
  let left = parked;
  const chunks: { second: number; count: number }[] = [];
  let alarms = 0;
  for (let second = 0; second < seconds; second++) {
    noticeReturns(fleet.registry, fleet.now);
    for (const due of takeDueReleases(fleet.registry, fleet.now)) {
      alarms += 1;
      const count = Math.min(left, due.limit);
      left -= count;
      if (count > 0) chunks.push({ second, count });
      noteReleased(fleet.registry, due, count, fleet.now);
      const again = parksAgain(count);
      if (again > 0) {
        left += again;
        fleet.route(again, { waits: 1, wishes: { capabilities: { none: true } } });
      }
    }
    fleet.now += 1_000;
  }
  return { left, chunks, alarms };
}

const beating = (fleet: Fleet, id: string) => {
  fleet.beat(id);
  return fleet;
};

describe('parked tasks', () => {
  it('go in chunks of twice the free places a second as soon as a server registers', () => {
    const fleet = new Fleet();
    fleet.route(3);
    expect(run(fleet, 100, 10).chunks).toEqual([]);
    fleet.add('a', { maxConcurrency: 16 });
    const { left, chunks } = run(fleet, 100, 10);
    expect(chunks.slice(0, 4)).toEqual([32, 32, 32, 4].map((count, second) => ({ second, count })));
    expect(left).toBe(0);
  });

  it('go when a server is heard again, leaves maintenance, or says that it is well', () => {
    for (const comeBack of [
      (fleet: Fleet, id: string) => fleet.beat(id),
      (fleet: Fleet, id: string) => setMaintenance(beating(fleet, id).registry, fleet.server(id), false, fleet.now),
    ]) {
      const fleet = new Fleet();
      const id = fleet.add('a');
      setMaintenance(fleet.registry, fleet.server(id), comeBack.length > 2, fleet.now);
      fleet.beat(id, { status: 'unhealthy' });
      fleet.route(1);
      expect(run(fleet, 1, 5).chunks).toEqual([]);
      comeBack(fleet, id);
      expect(run(fleet, 1, 1)).toMatchObject({ left: 0 });
    }
  });

  it('go when a circuit may be tried again: an alarm is set for that', () => {
    const fleet = new Fleet();
    const id = fleet.add('a');
    for (let call = 0; call < 5; call++) fleet.call().report({ outcome: 'failed' });
    expect(fleet.call().server).toBe('no-server');
    const at = earliestReleaseAt(fleet.registry, fleet.now);
    expect(at).toBeGreaterThanOrEqual(fleet.now + 10_000);
    fleet.now = at!;
    fleet.beat(id);
    expect(run(fleet, 50, 1).chunks).toEqual([{ second: 0, count: 32 }]);
  });

  it('go when their service is resumed, and not while it is paused', () => {
    const fleet = new Fleet();
    fleet.add('a');
    setPaused(fleet.registry, 'ocr', true);
    fleet.route(1);
    expect(run(fleet, 1, 5).chunks).toEqual([]);
    setPaused(fleet.registry, 'ocr', false);
    noteResumed(fleet.registry, 'ocr', fleet.now);
    expect(run(fleet, 1, 1)).toMatchObject({ left: 0 });
  });

  it('may be written a little after the server came back: the release looks again', () => {
    const fleet = new Fleet();
    fleet.route(1);
    fleet.add('a');
    // Nothing is found at first.
    expect(run(fleet, 0, 3).chunks).toEqual([]);
    expect(run(fleet, 1, 6).left).toBe(0);
  });

  it('are forgotten when none is left, and cost no alarms then', () => {
    const fleet = new Fleet();
    fleet.route(1);
    const id = fleet.add('a');
    run(fleet, 10, 40);
    fleet.beat(id);
    expect(fleet.registry.parked.size).toBe(0);
    expect(earliestReleaseAt(fleet.registry, fleet.now)).toBeUndefined();
  });

  it('that are parked again because no server meets their wishes slow the release down', () => {
    const fleet = new Fleet();
    fleet.route(1);
    const id = fleet.add('a');
    let alarms = 0;
    for (let minute = 0; minute < 60; minute++) {
      fleet.beat(id);
      alarms += run(fleet, 5, 60, (count) => count).alarms;
    }
    expect(alarms).toBeLessThan(25);
    // News of a server speeds it up again.
    fleet.add('b');
    expect(run(fleet, 5, 2).left).toBe(0);
  });

  it('wait while nobody is there, whatever was released before', () => {
    const fleet = new Fleet();
    fleet.route(1);
    const id = fleet.add('a', { maxConcurrency: 1 });
    fleet.beat(id);
    run(fleet, 100, 2);
    fleet.now += 3 * BEAT_MS + 1;
    expect(run(fleet, 100, 5).chunks).toEqual([]);
  });

  it('go when a server that is there offers what they wish for', () => {
    const fleet = new Fleet();
    const id = fleet.add('a');
    run(fleet, 0, 3);
    fleet.route(1, { wishes: { capabilities: { gpu: true } } });
    expect(run(fleet, 1, 5).chunks).toEqual([]);
    fleet.add('a', { capabilities: { gpu: true } });
    fleet.beat(id);
    expect(run(fleet, 1, 1)).toMatchObject({ left: 0 });
  });

  it('of a resumed service are remembered over a restart, until none is left', () => {
    const fleet = new Fleet({ ocr: { baseUrl: 'https://fixed.example.net' } });
    setPaused(fleet.registry, 'ocr', true);
    fleet.route(1);
    setPaused(fleet.registry, 'ocr', false);
    noteResumed(fleet.registry, 'ocr', fleet.now);
    fleet.restart();
    expect(run(fleet, 600, 1).chunks).toEqual([{ second: 0, count: 500 }]);
    expect(run(fleet, 100, 40).left).toBe(0);
    fleet.restart();
    expect(run(fleet, 5, 40).chunks).toEqual([]);
  });

  it('of a service that is paused, or that nobody defines, are not released by another word on it', () => {
    const fleet = new Fleet();
    fleet.add('a');
    run(fleet, 0, 3);
    setPaused(fleet.registry, 'ocr', true);
    for (const name of ['ocr', 'none']) noteResumed(fleet.registry, name, fleet.now);
    fleet.route(1, { service: 'none' });
    expect(run(fleet, 5, 3).chunks).toEqual([]);
    expect(fleet.registry.parked.size).toBe(0);
  });

  it('are looked for once after a restart, whether the server was there before or registers later', () => {
    const fleet = new Fleet({ ocr: {}, scan: {} });
    fleet.add('a');
    run(fleet, 0, 3);
    expect(fleet.registry.parked.size).toBe(0);
    fleet.restart();
    expect(run(fleet, 5, 1).chunks).toEqual([{ second: 0, count: 5 }]);
    run(fleet, 0, 3);
    expect(fleet.registry.parked.size).toBe(0);
    fleet.add('b', { services: [{ name: 'scan' }] });
    expect(run(fleet, 5, 1).chunks).toEqual([{ second: 0, count: 5 }]);
  });
});
