/** A schedule from what its owner defines to its row, and from its row to what is shown. Pure. */
import type { z } from '@hono/zod-openapi';
import { isoTimeOrNone } from '../../shared/iso-time.ts';
import type { ProblemDetails } from '../../shared/problem/problem.ts';
import { cronFault } from '../../shared/schedule/runs.ts';
import type { ScheduleRow } from '../../shared/store/schedules.ts';
import { invalidFields } from '../answer/field-errors.ts';
import { stringifyJson } from '../json/json-text.ts';
import type { ScheduleDefinitionSchema, ScheduleDocument } from '../schema/schedule.ts';
import { submissionOf } from './submission.ts';

type Definition = z.output<typeof ScheduleDefinitionSchema>;

/** What a submission may say of its own time or name: the schedule says it for each run. An upload makes one task. */
const ONCE_FIELDS = ['idempotencyKey', 'runAt', 'delaySeconds', 'deadline', 'payloadUpload'] as const;

/** What its schema does not see; a submission's own faults are found where tasks are drafted. */
export function definitionFault({ cron, timeZone, task }: Definition): ProblemDetails | undefined {
  const fault = cronFault(cron, timeZone);
  if (fault !== undefined) {
    const [field = 'cron', ...reason] = fault.split(': ');
    return invalidFields([{ field: `/${field}`, reason: reason.join(': ') }]);
  }
  const once = ONCE_FIELDS.find((field) => task[field] !== undefined);
  if (once === undefined) return undefined;
  return invalidFields([{ field: `/task/${once}`, reason: 'is of one task, and a schedule makes many; leave it out' }]);
}

export function scheduleRow(subject: string, definition: Definition) {
  return {
    subject,
    name: definition.name,
    cron: definition.cron,
    time_zone: definition.timeZone,
    task: stringifyJson(definition.task, [['payload']]),
    overlap: definition.overlap,
    catch_up: catchUpNumber(definition.catchUp),
  };
}

function catchUpNumber(catchUp: 'none' | 'one' | { readonly upTo: number }): number {
  if (catchUp === 'none') return 0;
  return catchUp === 'one' ? 1 : catchUp.upTo;
}

export function scheduleDocument(row: ScheduleRow): ScheduleDocument {
  const { catch_up: catchUp } = row;
  return {
    name: row.name,
    subject: row.subject,
    cron: row.cron,
    timeZone: row.time_zone,
    task: submissionOf(row.task),
    overlap: row.overlap,
    catchUp: catchUp === 0 ? 'none' : catchUp === 1 ? 'one' : { upTo: catchUp },
    paused: row.paused === 1,
    nextRunAt: isoTimeOrNone(row.next_at),
    lastRunAt: isoTimeOrNone(row.last_at),
    lastTaskId: row.last_task ?? undefined,
    lastError: row.last_error ?? undefined,
  };
}
