/** How lines move, through the host under a virtual clock, with a ledger that only counts. */
import { describe, expect, it, vi } from 'vitest';
import { endTask, giveUpLease } from '../../../callback/capacity/places.ts';
import { route } from '../../../callback/capacity/route.ts';
import { setMaintenance } from '../../../callback/registry/servers/members.ts';
import { putService, setPaused } from '../../../callback/services/services.ts';
import type { Invocation } from '../../../shared/registry/routing.ts';
import { T0 } from '../registry/fleet.ts';
import { routed, Scene, whys } from './line-scene.ts';

const SECOND = 1_000;

describe('a line', () => {
  it('moves as soon as a server registers, by as many as it takes', async () => {
    const scene = new Scene({ ocr: {} });
    expect(whys((await scene.ask(40)).decisions)).toEqual(Array(40).fill('no-server'));
    await scene.pass(5 * SECOND);
    expect(scene.left).toBe(40);
    await scene.add('a', { maxConcurrency: 16 });
    await scene.pass(SECOND);
    expect(scene.releases).toMatchObject([{ line: 'service:ocr', count: 16 }]);
    // They ask, and their calls end: as many again.
    const { leaseId, decisions } = await scene.ask(16, { waits: 1 });
    expect(routed(decisions)).toBe(16);
    for (const decision of decisions) await scene.report(leaseId, decision, { durationMs: 10 * SECOND });
    await scene.pass(SECOND);
    expect(scene.left).toBe(8);
  });

  it('whose server wants a pause rests until then, and is not looked at all the time', async () => {
    const scene = new Scene({ ocr: {} });
    const server = await scene.add('a', { maxConcurrency: 4 });
    const { leaseId, decisions } = await scene.ask(1);
    const busyUntil = scene.object.now + 60 * SECOND;
    await scene.report(leaseId, decisions[0], { outcome: 'busy', server, busyUntil });
    expect(whys((await scene.ask(10)).decisions)).toEqual(Array(10).fill('server-busy'));
    const looksBefore = scene.object.looks;
    await scene.pass(50 * SECOND);
    expect(scene.releases).toEqual([]);
    expect(scene.object.looks - looksBefore).toBeLessThan(150);
    await scene.pass(12 * SECOND);
    expect(scene.releases[0]?.second).toBeGreaterThan(55);
  });

  it.each<{ told: string; invocation?: Invocation }>([
    { told: 'by nobody' },
    { told: 'of a shard without keys', invocation: { id: 'batch', shard: 0, most: 150 } },
  ])('wakes tasks that need keys where the keys are, where shards are told $told', async ({ invocation }) => {
    const service = { baseUrl: 'https://ocr.example.net', maxConcurrency: 1, keyPool: 'default' };
    const scene = new Scene({ ocr: service }, { default: [3] });
    const shards: (number | undefined)[] = [];
    const { release } = scene.object;
    scene.object.release = (due) => {
      shards.push(due.shard);
      return release(due);
    };
    const leaseId = scene.lease();
    const calls = [{ id: 'first', service: 'ocr', waits: 0 }];
    const request = { leaseId, expiresAt: T0 + 60_000, calls, ...(invocation && { invocation }) };
    const { decisions } = await scene.object.host.route(request, () => 0);
    await scene.ask(20, { mustNotWait: true });
    await scene.report(leaseId, decisions[0], { durationMs: SECOND });
    await scene.pass(5 * SECOND);
    expect(shards.length).toBeGreaterThan(0);
    expect(new Set(shards)).toEqual(new Set([3]));
  });

  it('sends as many tasks that need keys to one shard that has some as to the other, where no shard is told of', async () => {
    const service = { baseUrl: 'https://ocr.example.net', maxConcurrency: 3, keyPool: 'default' };
    const scene = new Scene({ ocr: service }, { default: [1, 3] });
    const sent = new Map([1, 3].map((shard) => [shard, 0]));
    const { release } = scene.object;
    let arriving = 0;
    scene.object.release = async (due) => {
      const answer = await release(due);
      const { released = 0 } = answer ?? {};
      sent.set(due.shard ?? -1, (sent.get(due.shard ?? -1) ?? Number.NaN) + released);
      arriving += released;
      return answer;
    };
    let { leaseId, decisions } = await scene.ask(60, { mustNotWait: true });
    for (let round = 0; round < 30; round++) {
      for (const each of decisions.filter(({ is }) => is === 'routed')) await scene.report(leaseId, each);
      await scene.pass(SECOND);
      ({ leaseId, decisions } = await scene.ask(arriving, { waits: 1 }));
      arriving = 0;
    }
    const [one = 0, other = 0] = sent.values();
    expect(one + other).toBeGreaterThan(25);
    expect(Math.abs(one - other)).toBeLessThanOrEqual(3);
  });

  it('of short calls moves by as many as follow one another in each place', async () => {
    const scene = new Scene({ ocr: { baseUrl: 'https://ocr.example.net', maxConcurrency: 2 } });
    const first = await scene.ask(2);
    for (const decision of first.decisions) await scene.report(first.leaseId, decision, { durationMs: SECOND });
    const running = await scene.ask(2);
    expect(routed(running.decisions)).toBe(2);
    scene.parked.set('service:ocr', 100);
    await scene.ask(1, { mustNotWait: true });
    for (const decision of running.decisions) await scene.report(running.leaseId, decision, { durationMs: SECOND });
    await scene.pass(SECOND);
    expect(scene.releases[0]).toMatchObject({ count: 10 });
  });

  it('moves when a server leaves maintenance', async () => {
    const scene = new Scene({ ocr: {} });
    const id = await scene.add('a');
    const drain = (enabled: boolean) =>
      scene.object.host.decide((registry, now) => {
        const server = registry.servers.get(id);
        if (server !== undefined) setMaintenance(registry, server, enabled, now);
      });
    await drain(true);
    await scene.ask(1);
    await scene.pass(3 * SECOND);
    expect(scene.left).toBe(1);
    await drain(false);
    await scene.pass(3 * SECOND);
    expect(scene.left).toBe(0);
  });

  it('of a paused service stands until it is resumed, or its time has come', async () => {
    for (const end of ['resume', 'until'] as const) {
      const scene = new Scene({ ocr: { baseUrl: 'https://ocr.example.net' } });
      const until = end === 'until' ? T0 + 120 * SECOND : undefined;
      await scene.object.host.decide((registry) => setPaused(registry, 'ocr', { until }));
      expect(whys((await scene.ask(30)).decisions)[0]).toBe('paused');
      await scene.pass(119 * SECOND);
      expect(scene.left).toBe(30);
      if (end === 'resume') await scene.object.host.decide((registry) => setPaused(registry, 'ocr', undefined));
      await scene.pass(3 * SECOND);
      expect(scene.left).toBe(0);
    }
  });

  it('whose limit is lowered keeps to it at once, and whose limit is raised moves at once', async () => {
    const scene = new Scene({});
    const put = (maxConcurrency: number) =>
      scene.object.host.decide((registry) =>
        putService(registry, 'ocr', { baseUrl: 'https://ocr.example.net', maxConcurrency }),
      );
    await put(200);
    await put(2);
    const { decisions } = await scene.ask(10);
    expect(routed(decisions)).toBe(2);
    await put(10);
    await scene.pass(SECOND);
    // The others wait where they are.
    expect(scene.left).toBe(0);
  });

  it('is given up when nobody stands in it, and then moves no more', async () => {
    const scene = new Scene({ ocr: { baseUrl: 'https://ocr.example.net', maxConcurrency: 1 } });
    const { leaseId, decisions } = await scene.ask(1);
    await scene.report(leaseId, decisions[0], { durationMs: 20_000 });
    const running = await scene.ask(1);
    await scene.ask(1);
    await scene.report(running.leaseId, running.decisions[0]);
    await scene.pass(60 * SECOND);
    expect(scene.left).toBe(0);
    const left = await scene.object.host.decide(({ lines, linesOf }) => [lines.size, linesOf.size]);
    expect(left).toEqual([0, 0]);
  });

  it('is looked at by questions for its own service, and costs no other anything', async () => {
    const limited = { baseUrl: 'https://ocr.example.net', maxConcurrency: 1 };
    const scene = new Scene({ ocr: limited, other: limited });
    await scene.ask(20);
    const looks = await scene.object.host.decide((registry, now) => {
      const looked = vi.spyOn(registry.lines, 'values');
      const call = { id: 'call', service: 'other', waits: 0 };
      const request = { leaseId: scene.lease(), expiresAt: now + 60_000, calls: [call] };
      route(registry, request, now, () => 0);
      return looked.mock.calls.length;
    });
    expect(scene.left).toBeGreaterThan(0);
    expect(looks).toBe(0);
  });

  it('lets no cancelled task hold a place: the next one that stands goes when the released one does not come', async () => {
    const scene = new Scene({ ocr: { baseUrl: 'https://ocr.example.net', maxConcurrency: 1 } });
    const { leaseId, decisions } = await scene.ask(1);
    await scene.report(leaseId, decisions[0], { durationMs: 20_000 });
    const running = await scene.ask(1);
    await scene.ask(2);
    // Both were cancelled in their rows; one is submitted afterwards.
    scene.parked.set('service:ocr', 0);
    await scene.report(running.leaseId, running.decisions[0]);
    await scene.ask(1);
    await scene.pass(2 * SECOND);
    expect(scene.left).toBe(0);
  });
});

describe('a service at a fixed address, without keys, that answers 429', () => {
  it('is slowed as a service: nobody calls it until then, and then not all at once, the told ones among them', async () => {
    const scene = new Scene({ ocr: { baseUrl: 'https://ocr.example.net' } });
    const told = { outcome: 'busy', isUnplaced: true, busyUntil: T0 + 2 * SECOND } as const;
    for (let call = 0; call < 15; call++) await scene.report(scene.lease(), undefined, told);
    expect(whys((await scene.ask(10)).decisions)).toEqual(Array(10).fill('rate-limited'));
    await scene.pass(1.9 * SECOND);
    expect(routed((await scene.ask(15, { waits: 1 })).decisions)).toBe(0);
    await scene.pass(0.2 * SECOND);
    const { decisions } = await scene.ask(25, { waits: 1 });
    expect(routed(decisions)).toBeGreaterThan(0);
    expect(routed(decisions)).toBeLessThan(5);
  });
});

describe('its line, where the 429 says no time', () => {
  it('moves by one task that tries it where periods usually end, and by all when that one is let in', async () => {
    const scene = new Scene({ ocr: { baseUrl: 'https://ocr.example.net' } });
    scene.parked.set('service:ocr', 8);
    for (let call = 0; call < 8; call++) {
      await scene.report(scene.lease(), undefined, { outcome: 'busy', isUnplaced: true, isParked: true });
    }
    const tries: number[] = [];
    for (let round = 0; round < 4; round++) {
      while (scene.releases.length === round) await scene.pass(100);
      let placed = 0;
      while (placed === 0) {
        const { leaseId, decisions } = await scene.ask(1, { waits: 1 });
        placed = routed(decisions);
        if (placed === 0) await scene.pass(50);
        else {
          tries.push((scene.object.now - T0) / SECOND);
          const refused = { outcome: 'busy', isParked: true } as const;
          await scene.report(leaseId, decisions[0], round < 3 ? refused : {});
        }
      }
    }
    expect(scene.releases.slice(0, 4).map(({ count }) => count)).toEqual([1, 1, 1, 1]);
    const pauses = tries.map((at, index) => at - (tries[index - 1] ?? 0));
    for (const [index, least] of [1, 4, 5, 5].entries()) {
      expect(pauses[index]).toBeGreaterThan(least - 0.1);
      expect(pauses[index]).toBeLessThan(least + 1);
    }
    await scene.pass(3 * SECOND);
    expect(scene.left).toBeLessThan(4);
  });

  it('takes as many as it let in before anybody counted, in whatever order a batch tells of its calls', async () => {
    const scene = new Scene({ ocr: { baseUrl: 'https://ocr.example.net' } });
    await scene.pass(SECOND);
    const told = Array.from({ length: 30 }, (_, index) => ({
      id: `call ${index}`,
      service: 'ocr',
      isUnplaced: true,
      durationMs: 900,
      ...(index < 20 ? { outcome: 'answered' as const } : { outcome: 'busy' as const, isParked: true }),
    }));
    await scene.tell(told);
    let placed = 0;
    while (placed === 0) {
      await scene.pass(50);
      const { leaseId, decisions } = await scene.ask(1, { waits: 1 });
      placed = routed(decisions);
      if (placed === 0) continue;
      const isOver = scene.object.now - T0 > 5 * SECOND;
      await scene.report(leaseId, decisions[0], isOver ? {} : { outcome: 'busy', isParked: true });
      if (!isOver) placed = 0;
    }
    expect(routed((await scene.ask(40, { waits: 1 })).decisions)).toBeGreaterThanOrEqual(19);
  });
});

describe('a task that is refused again and again without a time, while others are let in', () => {
  it('says nothing of its service from the third time on', async () => {
    const scene = new Scene({ ocr: { baseUrl: 'https://ocr.example.net' } });
    await scene.report(scene.lease(), undefined, { id: 'odd', outcome: 'busy', isUnplaced: true, isParked: true });
    const isClosed: boolean[] = [];
    for (let round = 0; round < 5; round++) {
      for (let call = 0; call < 6; call++) {
        await scene.pass(20 * SECOND);
        const good = await scene.ask(1, { waits: 1 });
        await scene.report(good.leaseId, good.decisions[0]);
      }
      await scene.pass(20 * SECOND);
      const odd = await scene.ask(1, { id: 'odd', waits: 1 });
      expect(routed(odd.decisions)).toBe(1);
      await scene.report(odd.leaseId, odd.decisions[0], { outcome: 'busy', isParked: true });
      const next = await scene.ask(1, { waits: 1 });
      isClosed.push(routed(next.decisions) === 0);
      if (next.decisions[0]?.is === 'routed') await scene.report(next.leaseId, next.decisions[0]);
    }
    expect(isClosed).toEqual([true, false, false, false, false]);
  });
});

describe('an address that cannot be reached', () => {
  const down = async () => {
    const scene = new Scene({ ocr: { baseUrl: 'https://ocr.example.net' } });
    await scene.report(scene.lease(), undefined, {
      outcome: 'unreachable',
      isUnplaced: true,
      isParked: true,
      detail: 'answered 521',
    });
    scene.parked.set('service:ocr', 1);
    return scene;
  };

  it('has its tasks wait, however long, and starts them within seconds of its return, after one has tried it', async () => {
    const scene = await down();
    expect(whys((await scene.ask(14)).decisions)).toEqual(Array(14).fill('unreachable'));
    await scene.pass(300 * SECOND);
    expect(scene.left).toBe(15);
    scene.object.isReachable = true;
    await scene.pass(6 * SECOND);
    expect(scene.releases).toMatchObject([{ count: 1 }]);
    const canary = await scene.ask(1, { waits: 1 });
    expect(routed(canary.decisions)).toBe(1);
    // Nobody else goes while it tries.
    expect(whys((await scene.ask(1)).decisions)).toEqual(['unreachable']);
    await scene.report(canary.leaseId, canary.decisions[0]);
    await scene.pass(2 * SECOND);
    expect(scene.left).toBe(0);
  });

  it('that answers its check and fails the task that tried it lets no other go', async () => {
    const scene = await down();
    await scene.ask(5);
    scene.object.isReachable = true;
    await scene.pass(3 * SECOND);
    scene.object.isReachable = false;
    const canary = await scene.ask(1, { waits: 1 });
    await scene.report(canary.leaseId, canary.decisions[0], { outcome: 'unreachable', isParked: true });
    await scene.pass(60 * SECOND);
    expect(scene.releases).toHaveLength(1);
  });

  it('is told to consumers, and to nobody when it is back', async () => {
    const scene = await down();
    const limited = () => scene.object.host.decide(({ catalog }) => [...catalog.limited]);
    expect(await limited()).toEqual(['ocr']);
    scene.parked.clear();
    scene.object.isReachable = true;
    await scene.pass(5 * SECOND);
    const canary = await scene.ask(1, { waits: 1 });
    await scene.report(canary.leaseId, canary.decisions[0]);
    await scene.pass(60 * SECOND);
    expect(await limited()).toEqual([]);
  });
});

describe('a task that has ended by a callback while its call stays open', () => {
  it('has given its place to the next one, and gives none back later', async () => {
    const scene = new Scene({ ocr: { baseUrl: 'https://ocr.example.net', maxConcurrency: 1 } });
    const { leaseId, decisions } = await scene.ask(1);
    await scene.object.host.direct((registry, now) => endTask(registry, `${leaseId}/0`, now));
    const next = await scene.ask(1);
    expect(routed(next.decisions)).toBe(1);
    await scene.report(leaseId, decisions[0]);
    expect(await scene.object.host.decide(({ services }) => services.get('ocr')?.running.size)).toBe(1);
  });
});

describe('a lease that was given up', () => {
  it('leaves no place taken, whether its question came before or comes later', async () => {
    const scene = new Scene({ ocr: { baseUrl: 'https://ocr.example.net', maxConcurrency: 5 } });
    const early = scene.lease();
    const late = scene.lease();
    const giveUp = (id: string) =>
      scene.object.host.direct((registry, now) => giveUpLease(registry, id, now + 60_000, now));
    expect(routed((await scene.ask(5, {}, early)).decisions)).toBe(5);
    await giveUp(early);
    await giveUp(late);
    expect(routed((await scene.ask(5, {}, late)).decisions)).toBe(0);
    expect(routed((await scene.ask(5)).decisions)).toBe(5);
  });

  it('gets the same answer for the same question until then', async () => {
    const scene = new Scene({ ocr: { baseUrl: 'https://ocr.example.net', maxConcurrency: 5 } });
    const first = await scene.ask(3);
    const again = await scene.ask(3, {}, first.leaseId);
    expect(again.decisions).toEqual(first.decisions);
    expect(routed((await scene.ask(5)).decisions)).toBe(2);
  });
});
