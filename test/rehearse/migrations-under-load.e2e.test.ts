/** Migrations of stores with rows in every state, the last of them while the Workers accept, claim and settle. */
import { expect, it } from 'vitest';
import { readPlan } from '../../deploy/plan/plan-files.ts';
import { buildUploads } from '../../deploy/upload/build-uploads.ts';
import { faultsOfMigrations, migrateUnderLoad } from '../../rehearse/migrations-under-load.ts';

it('loses and changes nothing, and all that was open ends', async () => {
  const uploads = await buildUploads(readPlan({ shards: 1 }), 'rehearsal-test');
  const report = await migrateUnderLoad(uploads, 300, () => {});
  expect(faultsOfMigrations(report)).toEqual([]);
  const ended = (counts: Readonly<Record<string, number>>) => Object.values(counts).reduce((sum, count) => sum + count);
  expect(ended(report.open)).toBe(60);
  expect(ended(report.accepted)).toBeGreaterThan(200);
});
