/** Stores that come and go while tasks are submitted to the Workers that are deployed at each moment. */
import { expect, it } from 'vitest';
import { readPlan } from '../../deploy/plan/plan-files.ts';
import { buildUploads } from '../../deploy/upload/build-uploads.ts';
import { faultsOfGrowth, growAndShrink } from '../../rehearse/stores-under-load.ts';

it('grows from one store to four and shrinks to two under load: nothing accepted is lost, new ids go where they should', async () => {
  const report = await growAndShrink(await buildUploads(readPlan({ shards: 1 }), 'rehearsal-test'), 60);
  expect(faultsOfGrowth(report)).toEqual([]);
  expect(report.accepted).toBeGreaterThan(400);
});
