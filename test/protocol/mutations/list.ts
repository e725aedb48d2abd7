/** All mutations, by the tests that must kill them. */
import { BATCH_MATES_MUTATIONS } from './batch-mates.ts';
import { CAPACITY_MUTATIONS } from './capacity.ts';
import { CARRIER_MUTATIONS } from './carrier.ts';
import { DEADLINE_MUTATIONS } from './deadline.ts';
import { DELIVERIES_MUTATIONS } from './deliveries.ts';
import { END_MUTATIONS } from './end.ts';
import { KEY_SWITCHES_MUTATIONS } from './key-switches.ts';
import { LINE_MUTATIONS } from './line.ts';
import type { Row } from './mutation.ts';
import { ROWS_MUTATIONS } from './rows.ts';
import { RUNS_MUTATIONS } from './runs.ts';
import { WAKE_UPS_MUTATIONS } from './wake-ups.ts';

export const MUTATED_ROWS: readonly Row[] = [
  ...WAKE_UPS_MUTATIONS,
  ...DELIVERIES_MUTATIONS,
  ...RUNS_MUTATIONS,
  ...ROWS_MUTATIONS,
  ...DEADLINE_MUTATIONS,
  ...BATCH_MATES_MUTATIONS,
  ...CAPACITY_MUTATIONS,
  ...KEY_SWITCHES_MUTATIONS,
  ...CARRIER_MUTATIONS,
  ...END_MUTATIONS,
  ...LINE_MUTATIONS,
];
