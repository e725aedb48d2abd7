/** All mutations, by the tests that must kill them. */
import { CARRIER_MUTATIONS } from './carrier-mutations.ts';
import { END_MUTATIONS } from './end-mutations.ts';
import type { Row } from './mutation.ts';
import { ROW_MUTATIONS } from './row-mutations.ts';

export const MUTATED_ROWS: readonly Row[] = [...ROW_MUTATIONS, ...CARRIER_MUTATIONS, ...END_MUTATIONS];
