/** What is known of servers over sleep and restarts of the object, under a platform that takes idle objects out of memory. */
import { describe, expect, it } from 'vitest';
import { CountedObject, OWNER } from '../../../bench/registry/counted-object.ts';
import { takeReports } from '../../../callback/capacity/report.ts';
import { route } from '../../../callback/capacity/route.ts';
import { heartbeat } from '../../../callback/registry/servers/heartbeat.ts';
import { register } from '../../../callback/registry/servers/members.ts';
import { viewServers } from '../../../callback/registry/view.ts';
import { RegistrationSchema } from '../../../shared/registry/registration.ts';
import { T0 } from './fleet.ts';

const SECOND = 1_000;
const BEAT = 30 * SECOND;

class Scene {
  readonly object = new CountedObject({ ocr: {} }, T0, false);
  #calls = 0;

  async add(name: string, wantsHeartbeatLeadership = false): Promise<string> {
    const registration = RegistrationSchema.parse({
      url: `https://${name}.example.net`,
      services: [{ name: 'ocr' }],
      wantsHeartbeatLeadership,
    });
    const id = `srv_${name.padStart(16, '0')}`;
    await this.object.host.decide((registry, now) => register(registry, registration, OWNER, id, now));
    return id;
  }

  async beat(...ids: readonly string[]): Promise<void> {
    for (const id of ids) {
      await this.object.host.decide((registry, now) => heartbeat(registry, id, { status: 'healthy' }, OWNER, now));
    }
  }

  /** One task asks for a server. @returns the server, or why it waits */
  async call(outcome: 'answered' | 'failed' = 'answered'): Promise<string> {
    const leaseId = `block number ${this.#calls++}`.padEnd(16);
    const request = { leaseId, expiresAt: this.object.now + 60_000, calls: [{ id: 'call', service: 'ocr', waits: 0 }] };
    const { decisions } = await this.object.host.direct((registry, now) => route(registry, request, now, () => 0));
    const [decision] = decisions;
    if (decision?.is !== 'routed' || decision.server === undefined)
      return decision?.is === 'waiting' ? decision.why : '';
    const report = { id: 'call', service: 'ocr', server: decision.server.id, outcome, durationMs: 5 };
    await this.object.host.direct((registry, now) =>
      takeReports(registry, { leaseId, reports: [report] }, now, () => 0),
    );
    return decision.server.id;
  }

  async states(): Promise<Record<string, string>> {
    const views = await this.object.host.decide((registry, now) => viewServers(registry, OWNER, now));
    return Object.fromEntries(
      views.map(({ id, state, isHeartbeatLeader }) => [id, isHeartbeatLeader ? `${state}, leads` : state]),
    );
  }

  pass(ms: number): Promise<void> {
    return this.object.passTimeTo(this.object.now + ms);
  }
}

describe('a dead server', () => {
  it.each([4, 30, 300, undefined])('is noticed after 90 s, with a task every %s s', async (everySeconds) => {
    const scene = new Scene();
    const id = await scene.add('a');
    await scene.beat(id);
    const diedAt = scene.object.now;
    const stepMs = (everySeconds ?? 310) * SECOND;
    while (scene.object.now - diedAt + stepMs <= 90 * SECOND) {
      await scene.pass(stepMs);
      expect(await scene.call()).toBe(id);
    }
    await scene.object.passTimeTo(Math.max(scene.object.now + stepMs, diedAt + 91 * SECOND));
    if (everySeconds !== undefined) expect(await scene.call()).toBe('no-server');
    expect(await scene.states()).toEqual({ [id]: 'unhealthy' });
    if (everySeconds === 300) expect(scene.object.sleeps).toBeGreaterThan(0);
  });

  it('is noticed at 90 s and not before, when nobody asks until then', async () => {
    for (const [seconds, state] of [
      [89, 'healthy'],
      [91, 'unhealthy'],
      [151, 'unhealthy'],
    ] as const) {
      const scene = new Scene();
      const id = await scene.add('a');
      await scene.beat(id);
      await scene.pass(seconds * SECOND);
      expect(await scene.states()).toEqual({ [id]: state });
    }
  });

  it('is noticed beside one that heartbeats, and does not lead it after 45 s', async () => {
    const scene = new Scene();
    const dead = await scene.add('a', true);
    const alive = await scene.add('b', true);
    await scene.beat(dead, alive);
    expect(await scene.states()).toEqual({ [dead]: 'healthy, leads', [alive]: 'healthy' });
    for (let beat = 0; beat < 7; beat++) {
      await scene.pass(BEAT);
      await scene.beat(alive);
      if (beat === 1) expect(await scene.states()).toEqual({ [dead]: 'healthy', [alive]: 'healthy, leads' });
    }
    expect(await scene.states()).toEqual({ [dead]: 'unhealthy', [alive]: 'healthy, leads' });
  });
});

describe('a restart of the object', () => {
  it('makes nobody unhealthy who goes on to heartbeat', async () => {
    const scene = new Scene();
    const id = await scene.add('a');
    for (let beat = 0; beat < 20; beat++) {
      await scene.beat(id);
      await scene.pass(BEAT);
    }
    scene.object.evict();
    await scene.pass(60 * SECOND);
    expect(await scene.states()).toEqual({ [id]: 'healthy' });
  });

  it('gives a grace once: a server that died before it is noticed 90 s after the first of many', async () => {
    const scene = new Scene();
    const [dead, alive] = [await scene.add('a'), await scene.add('b')];
    await scene.beat(dead, alive);
    scene.object.evict();
    const startedAt = scene.object.now;
    while (scene.object.now - startedAt < 100 * SECOND) {
      await scene.beat(alive);
      await scene.pass(12 * SECOND);
      scene.object.evict();
    }
    expect(await scene.states()).toEqual({ [dead]: 'unhealthy', [alive]: 'healthy' });
  });

  it('raises nobody who was known to be silent', async () => {
    const scene = new Scene();
    const [dead, alive] = [await scene.add('a'), await scene.add('b')];
    for (let beat = 0; beat < 5; beat++) {
      await scene.beat(alive);
      await scene.pass(BEAT);
    }
    scene.object.evict();
    await scene.beat(alive);
    expect(await scene.states()).toEqual({ [dead]: 'unhealthy', [alive]: 'healthy' });
  });

  it('closes no circuit, and forgets no failed check', async () => {
    const scene = new Scene();
    const id = await scene.add('a');
    await scene.beat(id);
    for (let call = 0; call < 5; call++) await scene.call('failed');
    scene.object.evict();
    expect(await scene.call()).toBe('no-server');
    expect(await scene.states()).toEqual({ [id]: 'healthy' });
  });
});

describe('a sleep of the object', () => {
  it('forgets no call under way, so that limits hold over it', async () => {
    const scene = new Scene();
    scene.object.answersChecks = true;
    await scene.add('a');
    const request = {
      leaseId: 'block of long calls',
      expiresAt: scene.object.now + 600 * SECOND,
      calls: Array.from({ length: 16 }, (_, index) => ({ id: String(index), service: 'ocr', waits: 0 })),
    };
    await scene.object.host.direct((registry, now) => route(registry, request, now, () => 0));
    await scene.pass(80 * SECOND);
    expect(scene.object.sleeps).toBe(1);
    expect(await scene.call()).toBe('server-busy');
  });

  it('ends when a health check is due', async () => {
    const scene = new Scene();
    scene.object.answersChecks = true;
    const id = await scene.add('a');
    // It never heartbeats: it lives by its checks, which are five minutes apart in the end.
    await scene.pass(3_600 * SECOND);
    expect(scene.object.sleeps).toBeGreaterThan(5);
    expect(await scene.states()).toEqual({ [id]: 'healthy' });
    scene.object.answersChecks = false;
    await scene.pass(700 * SECOND);
    expect(await scene.call()).toBe('no-server');
  });
});

it('an object without servers sleeps', async () => {
  const scene = new Scene();
  await scene.states();
  await scene.pass(11 * SECOND);
  expect(scene.object.sleeps).toBe(1);
  expect(scene.object.writes).toEqual({ rows: 0, alarms: 0 });
});
