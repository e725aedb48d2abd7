/** The registry as consumers ask it, where it is of another release. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { PlaceEnv } from '../../../consumer/capacity/capacity-env.ts';
import { LastKnownServers } from '../../../consumer/capacity/last-known.ts';
import { askForPlaces } from '../../../consumer/capacity/place-source.ts';
import type { CallReports, PlaceSession, RouteDecision } from '../../../shared/registry/routing.ts';

const env = { shard: '0', servers: new LastKnownServers() } as unknown as PlaceEnv;

function sessionOf(decisions: unknown[], reported: CallReports[]): PlaceSession {
  return {
    route: async () => ({ decisions: decisions as RouteDecision[], servers: {}, lines: {}, servicesVersion: 1 }),
    reportCalls: async (reports) => void reported.push(reports),
    giveUp: async () => undefined,
  };
}

const request = {
  leaseId: 'lease of the test',
  expiresAt: Date.now() + 60_000,
  calls: ['a', 'b'].map((id) => ({ id, service: 'ocr', waits: 0 })),
};

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

describe('a registry that answers nothing', () => {
  it('is waited for by a batch for seconds, also when its question is given up', async () => {
    for (const method of ['warn', 'error'] as const) vi.spyOn(console, method).mockImplementation(() => undefined);
    vi.useFakeTimers();
    const never = () => new Promise<never>(() => undefined);
    const session = { ...sessionOf([], []), route: vi.fn(never), giveUp: vi.fn(never) };
    const answer = askForPlaces(env, session, request);
    const seen = vi.fn();
    void answer.then(seen);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(seen).toHaveBeenCalledWith(undefined);
    expect(session.giveUp).toHaveBeenCalledWith({ leaseId: request.leaseId, expiresAt: request.expiresAt });
  });
});

describe('a registry of another release', () => {
  const routed = { id: 'a', is: 'routed' };

  it('gets back the place of a decision that cannot be read, and no other', async () => {
    vi.spyOn(console, 'error').mockImplementation(() => undefined);
    const reported: CallReports[] = [];
    const answer = await askForPlaces(env, sessionOf([routed, { id: 'b', is: 'lent' }], reported), request);
    expect(answer?.answers).toMatchObject([{ task: 'a', kind: 'granted' }]);
    expect(reported).toMatchObject([{ leaseId: request.leaseId, reports: [{ id: 'b', outcome: 'unused' }] }]);
  });

  it('is told nothing where all can be read', async () => {
    const reported: CallReports[] = [];
    await askForPlaces(
      env,
      sessionOf([routed, { id: 'b', is: 'waiting', why: 'paused', line: 'service:ocr' }], reported),
      request,
    );
    expect(reported).toEqual([]);
  });
});
