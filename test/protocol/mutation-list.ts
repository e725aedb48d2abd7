/** All mutations, by the tests that must kill them. */
import type { Row } from './mutation.ts';
import { ROW_MUTATIONS } from './row-mutations.ts';
import { RULE_MUTATIONS } from './rule-mutations.ts';

export const MUTATED_ROWS: readonly Row[] = [...ROW_MUTATIONS, ...RULE_MUTATIONS];
