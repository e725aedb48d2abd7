/** What backends answer, as they do in the field. One table; the name of a row is a path of the scripted backend. */
import { FRAMINGS } from './framings.ts';
import { HEADERS } from './headers.ts';
import { PACKINGS } from './packings.ts';
import type { Rows } from './row.ts';
import { SPELLINGS } from './spellings.ts';
import { STATUSES } from './statuses.ts';

export const ROWS: Rows = { ...PACKINGS, ...SPELLINGS, ...HEADERS, ...STATUSES, ...FRAMINGS };
