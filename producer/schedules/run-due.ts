/**
 * The minute's round of the schedules: decides which runs are due and submits their tasks.
 *
 * Guarantee: a run happens once, however many rounds there are at the same time and wherever one dies. A run is
 * decided by one guarded write that also keeps the id of its task; submitting an id twice makes one task.
 */
import { logError, logInfo } from '../../shared/log.ts';
import { dueRuns } from '../../shared/schedule/runs.ts';
import { chooseStore } from '../../shared/store/fill.ts';
import { readStatus } from '../../shared/store/read.ts';
import {
  decideRuns,
  finishRuns,
  type PendingRun,
  readDueSchedules,
  type ScheduleRow,
} from '../../shared/store/schedules.ts';
import { mintTaskId } from '../../shared/task/id.ts';
import { isTerminal } from '../../shared/task/status.ts';
import { acceptTask } from '../accept/accept.ts';
import { admitTasks } from '../accept/client-quota.ts';
import { askDueStores, fillsOf } from '../accept/store-choice.ts';
import { enterGroup } from '../groups/admission.ts';
import { idKeyOf, type Runtime } from '../runtime.ts';
import { TaskSubmissionSchema } from '../schema/submission.ts';
import { readServices } from '../services/services.ts';
import { bindDraft, draftTask, GROUP_CLOSED, taskOf } from '../submission/submission.ts';
import { submissionOf } from './submission.ts';

/** Schedules a round; with more the rest waits a minute. */
const MAX_SCHEDULES = 500;

/** No store had room, or no queue took the task: the run stays decided and the next round goes on with it. */
class NotNow extends Error {}

export async function runDueSchedules(runtime: Runtime, now: number): Promise<void> {
  const { control } = runtime.config.stores;
  const due = await readDueSchedules(control, now, MAX_SCHEDULES);
  if (due.length === 0) return;
  await Promise.all([readServices(runtime, { urgent: true }), askDueStores(runtime)]);
  for (const schedule of due) {
    // What is wrong with one schedule costs no other its run.
    try {
      await runOne(runtime, schedule, now);
    } catch (error) {
      logError('schedule.failed', { subject: schedule.subject, schedule: schedule.name }, error);
    }
  }
}

/** A run beside the plan, now. @returns the id of its task, or why there is none */
export async function runNow(
  runtime: Runtime,
  schedule: ScheduleRow,
  now: number,
): Promise<{ readonly ok: true; readonly id: string } | { readonly ok: false; readonly reason: string }> {
  await askDueStores(runtime);
  const id = await mintId(runtime, schedule, now);
  const refused = await submit(runtime, schedule, id, now);
  return refused === undefined ? { ok: true, id } : { ok: false, reason: refused };
}

async function runOne(runtime: Runtime, schedule: ScheduleRow, now: number): Promise<void> {
  const { control } = runtime.config.stores;
  if (schedule.pending !== null) return submitRuns(runtime, schedule, JSON.parse(schedule.pending), now);
  if (schedule.next_at === null) return;
  const { cron, time_zone: timeZone, catch_up: catchUp } = schedule;
  const { runs, nextAt } = dueRuns({ cron, timeZone, catchUp }, schedule.next_at, now);
  const pending = await Promise.all(runs.map(async (at) => ({ at, id: await mintId(runtime, schedule, now) })));
  if (!(await decideRuns(control, schedule, pending, nextAt)) || pending.length === 0) return;
  await submitRuns(runtime, { ...schedule, pending: JSON.stringify(pending) }, pending, now);
}

async function submitRuns(
  runtime: Runtime,
  schedule: ScheduleRow,
  runs: readonly PendingRun[],
  now: number,
): Promise<void> {
  let before = schedule.last_task ?? undefined;
  let last: { at: number; task: string | undefined; error: string | undefined } | undefined;
  for (const { at, id } of runs) {
    if (before !== undefined && before !== id && !(await mayFollow(runtime, schedule, before))) {
      last = { at, task: undefined, error: 'skipped: the run before it had not ended' };
      continue;
    }
    const refused = await submit(runtime, schedule, id, now);
    if (refused === undefined) before = id;
    last = { at, task: refused === undefined ? id : undefined, error: refused };
    logInfo('schedule.run', { subject: schedule.subject, schedule: schedule.name, id, refused });
  }
  await finishRuns(runtime.config.stores.control, schedule, last);
}

/** Whether the next run may start beside, or after, the one before it. */
async function mayFollow({ config }: Runtime, { overlap, subject }: ScheduleRow, before: string): Promise<boolean> {
  if (overlap === 'queue') return true;
  const previous = config.stores.has(before) ? await readStatus(config.stores.of(before), before) : undefined;
  // Without a row it waits in its queue, unless it is long gone.
  if (previous === undefined || isTerminal(previous.status)) return true;
  if (overlap === 'skip') return false;
  await config.callback.cancelTask({ id: before, subject, plantTombstone: false });
  return true;
}

/** @returns why the task cannot be submitted, as things are defined now. @throws NotNow to be tried again */
async function submit(runtime: Runtime, schedule: ScheduleRow, id: string, now: number): Promise<string | undefined> {
  const submission = TaskSubmissionSchema.safeParse(submissionOf(schedule.task));
  if (!submission.success) return submission.error.issues[0]?.message ?? 'the task is not valid any more';
  const drafted = draftTask(runtime.services.all, submission.data, now);
  if (!drafted.ok) return drafted.refusal.details?.detail ?? drafted.refusal.code;
  const bound = await bindDraft(runtime, schedule.subject, drafted.draft);
  if (!bound.ok) return bound.refusal.details?.detail ?? bound.refusal.code;
  const admitted = await admitTasks(runtime, schedule.subject, submission.data.service, 1);
  if (admitted?.granted === 0) return admitted.refusal.details.detail ?? admitted.refusal.code;
  const accepted = await acceptTask(runtime, taskOf(bound.draft, id, schedule.subject, now));
  if (accepted === false) throw new NotNow(schedule.name);
  return accepted === 'group-closed' ? GROUP_CLOSED.details.detail : undefined;
}

async function mintId(runtime: Runtime, { subject, name, task }: ScheduleRow, now: number): Promise<string> {
  const candidate = chooseStore(fillsOf(runtime), runtime.config.storeLimitBytes, 0, now);
  const { group } = submissionOf(task);
  const store =
    candidate === undefined || typeof group !== 'string'
      ? candidate
      : await enterGroup(runtime, subject, group, candidate);
  // Of a group that takes no more the task is refused under any id.
  if (store === 'leaving') return mintTaskId(await idKeyOf(runtime), subject, now, candidate ?? 0);
  if (store === undefined || store === 'full') throw new NotNow(name);
  return mintTaskId(await idKeyOf(runtime), subject, now, store);
}
