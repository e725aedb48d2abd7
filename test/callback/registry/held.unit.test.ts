/** Questions that the registry holds for a moment, until there is a place. */
import { describe, expect, it } from 'vitest';
import { CountedObject } from '../../../bench/registry/counted-object.ts';
import { takeReports } from '../../../callback/capacity/report.ts';
import type { RouteAnswer } from '../../../shared/registry/routing.ts';
import { T0 } from './fleet.ts';

const SERVICES = { ocr: { baseUrl: 'https://ocr.example.net', maxConcurrency: 1 } };

class Scene {
  readonly object: CountedObject;
  #leases = 0;

  constructor(services: ConstructorParameters<typeof CountedObject>[0] = SERVICES) {
    this.object = new CountedObject(services, T0, false);
  }

  async ask({ mayWait = true, waits = 1 } = {}): Promise<{ leaseId: string; answer: Promise<RouteAnswer> }> {
    const leaseId = `lease number ${this.#leases++}`.padEnd(16);
    const expiresAt = this.object.now + 600_000;
    const calls = [{ id: leaseId, service: 'ocr', waits }];
    const answer = this.object.host.route({ leaseId, expiresAt, calls, ...(mayWait && { mayWait }) }, () => 0);
    return { leaseId, answer };
  }

  /** A call that has run for so long that it is about to end. */
  async busy(): Promise<string> {
    for (let past = 0; past < 5; past++) {
      const { leaseId, answer } = await this.ask();
      expect((await answer).decisions).toMatchObject([{ is: 'routed' }]);
      await this.end(leaseId, 1_000);
    }
    const { leaseId, answer } = await this.ask();
    await answer;
    return leaseId;
  }

  async end(leaseId: string, durationMs: number): Promise<void> {
    await this.object.passTimeTo(this.object.now + durationMs);
    const report = { id: leaseId, service: 'ocr', outcome: 'answered', durationMs } as const;
    await this.object.host.direct((registry, now) =>
      takeReports(registry, { leaseId, reports: [report] }, now, () => 0),
    );
  }
}

/** @returns undefined while it is held */
async function settled(answer: Promise<RouteAnswer>): Promise<RouteAnswer | undefined> {
  return Promise.race([answer, new Promise<undefined>((resolve) => setTimeout(resolve, 5, undefined))]);
}

describe('a question that may be held', () => {
  it('is answered with the place that comes free, and is not answered before', async () => {
    const scene = new Scene();
    const running = await scene.busy();
    await scene.object.passTimeTo(scene.object.now + 900);
    const { answer } = await scene.ask();
    expect(await settled(answer)).toBeUndefined();
    await scene.end(running, 100);
    expect((await answer).decisions).toMatchObject([{ is: 'routed' }]);
  });

  it('is answered after a second at the latest', async () => {
    const scene = new Scene();
    await scene.busy();
    await scene.object.passTimeTo(scene.object.now + 900);
    const { answer } = await scene.ask();
    expect(await settled(answer)).toBeUndefined();
    await scene.object.passTimeTo(scene.object.now + 1_100);
    expect((await answer).decisions).toMatchObject([{ is: 'waiting' }]);
  });

  it('is answered when time alone makes room, though the registry has nothing else to look after', async () => {
    const scene = new Scene({ ocr: { baseUrl: 'https://ocr.example.net', requestsPerSecond: 1 } });
    const first = await scene.ask();
    expect((await first.answer).decisions).toMatchObject([{ is: 'routed' }]);
    await scene.end(first.leaseId, 20);
    const { answer } = await scene.ask();
    expect(await settled(answer)).toBeUndefined();
    await scene.object.passTimeTo(scene.object.now + 1_100);
    expect((await settled(answer))?.decisions).toMatchObject([{ is: 'routed' }]);
  });

  it('is answered at once where there is nothing to wait for, and where it did not ask to be held', async () => {
    const scene = new Scene();
    await scene.busy();
    await scene.object.passTimeTo(scene.object.now + 900);
    const unheld = await scene.ask({ mayWait: false });
    expect((await settled(unheld.answer))?.decisions).toMatchObject([{ is: 'waiting' }]);
    const free = await new Scene().ask();
    expect((await settled(free.answer))?.decisions).toMatchObject([{ is: 'routed' }]);
  });
});
