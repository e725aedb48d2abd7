/**
 * What the owner of a capacity (a key pool, the server registry) asks of the ledger about the lines of
 * tasks that wait for it (rule R20). Everything here may be asked twice, late, or of a line in which nobody
 * stands.
 */
import * as z from 'zod';
import { targetOfLine } from '../capacity/line.ts';
import { DEFERRAL_REASONS } from '../task/state.ts';

export const LineSchema = z
  .string()
  .max(300)
  .refine((line) => targetOfLine(line) !== undefined, { error: 'is no line, such as pool:NAME or service:NAME' });

/** More at once are released by asking again. */
const MAX_RELEASED = 1_000;
export const MAX_RELEASED_BY_ID = 100;

/** Wake the oldest that wait, at most so many. */
export const ReleaseRequestSchema = z.object({
  line: LineSchema,
  limit: z.number().int().min(1).max(MAX_RELEASED),
  /** These alone, as far as they stand in it. */
  tasks: z.array(z.string()).min(1).max(MAX_RELEASED_BY_ID).optional(),
  /** Whose queue takes the wake-ups: a key pool pulls for itself. Any, where there is no such shard. */
  shard: z.number().int().min(0).optional(),
  /** How fast the line moves, tasks a second: a poll says by it how long a task will wait. */
  perSecond: z.number().min(0).optional(),
  /** What all wait for that stand there, whatever it was when they came. */
  reason: z.enum(DEFERRAL_REASONS).optional(),
});
export type ReleaseRequest = z.infer<typeof ReleaseRequestSchema>;

export interface ReleaseAnswer {
  readonly released: number;
  /**
   * More stand in the line. A task that was told to park is written a moment later: an owner that refused
   * one in the last seconds asks again.
   */
  readonly left: boolean;
}

export interface LineDescription {
  readonly line: string;
  /** Tasks that stand in it, released ones included until they are claimed. Counted up to a bound. */
  readonly count: number;
  /** Absent when nobody stands in it. */
  readonly oldestId?: string | undefined;
}

/** The ledger, as owners of lines see it. */
export interface LineHost {
  releaseLine(request: ReleaseRequest): Promise<ReleaseAnswer>;
  describeLines(lines: string[]): Promise<LineDescription[]>;
}
