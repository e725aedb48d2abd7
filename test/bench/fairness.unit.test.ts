import { describe, expect, it } from 'vitest';
import { BenchLine } from '../../bench/fairness/line.ts';
import { type Measured, scenarios } from '../../bench/fairness/scenario.ts';

const START = Date.UTC(2026, 10, 27);

describe('submitters that share a line', () => {
  it('delay each other within the bounds that npm run bench:fairness shows', async () => {
    const measured: Measured[] = [];
    for (const measure of scenarios(1_500).slice(0, 3)) measured.push(await measure());
    expect(measured.filter(({ isKept }) => !isKept)).toEqual([]);
  });

  it('have their own tasks served in the order in which they came, by priority', async () => {
    const line = new BenchLine(START);
    const normal = await line.park({ subject: 'alice', count: 15 });
    line.pass(1);
    const low = await line.park({ subject: 'alice', count: 3, priority: 3 });
    line.pass(1);
    const high = await line.park({ subject: 'alice', count: 3, priority: 1 });
    line.pass(1);
    const later = await line.park({ subject: 'alice', count: 5 });
    const order = await line.release(100);
    const inOrder = (ids: readonly string[]) => order.filter((id) => ids.includes(id));
    for (const ids of [normal, low, high, later]) expect(inOrder(ids)).toEqual(ids);
    expect(order.slice(-3)).toEqual(low);
    expect(order.indexOf(high[2] ?? '')).toBeLessThan(6);
  });

  it('lose no turns for tasks that are cancelled while they wait', async () => {
    const line = new BenchLine(START);
    await line.park({ subject: 'bob', count: 200 });
    await line.cancel(await line.park({ subject: 'alice', count: 100 }));
    const ids = await line.park({ subject: 'alice', count: 5 });
    expect((await line.release(10)).filter((id) => ids.includes(id))).toEqual(ids);
  });
});
