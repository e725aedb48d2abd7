/** From a group's row to what the API shows. Pure. */
import * as z from 'zod';
import { isoTime, isoTimeOrNone } from '../../shared/iso-time.ts';
import type { GroupRow } from '../../shared/store/groups.ts';
import { TERMINAL_STATUSES, type TerminalStatus } from '../../shared/task/status.ts';
import { HookSchema } from '../../shared/webhook/hook.ts';
import type { GroupView } from '../schema/group.ts';

const KeptHookSchema = z.object(HookSchema.shape);

export function groupView(row: GroupRow, groupUrl: string): GroupView {
  const { name, subject, total } = row;
  const ends = Object.fromEntries(TERMINAL_STATUSES.map((status) => [status, row[status]])) as Record<
    TerminalStatus,
    number
  >;
  const done = Object.values(ends).reduce((sum, count) => sum + count, 0);
  const onComplete = row.on_complete === null ? undefined : KeptHookSchema.safeParse(JSON.parse(row.on_complete)).data;
  return {
    id: name,
    subject,
    status: statusOf(row),
    total,
    done,
    progress: total === 0 ? 0 : Math.floor((1000 * done) / total) / 10,
    counts: { open: total - done, ...ends },
    createdAt: isoTime(row.created_at),
    closedAt: isoTimeOrNone(row.closed_at),
    endedAt: isoTimeOrNone(row.ended_at),
    cancelledAt: isoTimeOrNone(row.cancelled_at),
    onComplete,
    messageId: onComplete !== undefined && row.ended_at !== null ? row.message : undefined,
    groupUrl,
  };
}

function statusOf({ closed_at, ended_at }: GroupRow): GroupView['status'] {
  if (ended_at !== null) return 'ended';
  return closed_at === null ? 'open' : 'closed';
}
