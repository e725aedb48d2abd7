/** Several stores in the real local run, one of which goes away; and a store that fills. */
import { expect, it } from 'vitest';
import { runAway } from '../../bench/stores/away.ts';
import { runFull } from '../../bench/stores/full.ts';

it('tasks over three stores all end once although one of them is away for a while, and the others do not wait', async () => {
  const report = await runAway(1_500, 3, 60_000);
  expect(report).toMatchObject({ tasks: 1_500, statuses: { succeeded: 1_500 }, listed: 1_500 });
  expect(report).toMatchObject({ neverCalled: 0, calledAgain: 0 });
  // Every store had its part, and while one was away the tasks of the others ended.
  for (const tasks of report.byStore) expect(tasks).toBeGreaterThan(0);
  expect(report.endedBefore).toBe(report.ofOthers);
});

it('a store that fills under load loses nothing that it accepted, refuses with a time, and takes tasks again', async () => {
  const report = await runFull(2_000_000, 3, 60_000);
  expect(report).toMatchObject({ notEnded: 0, failedPolls: 0, retryAfter: '60' });
  expect(report.problem).toContain('storage-full');
  expect(report.warnings).toEqual([expect.stringMatching(/^store 0 is \d+(\.\d)?% full/)]);
  expect(report.accepted).toBeGreaterThan(20);
  expect(report.bytesAfter).toBeLessThan(report.fullBytes);
  expect(report.acceptedAfter).toBeGreaterThan(0);
});
