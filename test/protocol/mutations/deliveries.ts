/** What takes out the rules that `schedules/deliveries.test.ts` holds. */
import { CLAIM, DELIVERIES, mutation, type Row, TRANSITIONS } from './mutation.ts';

export const DELIVERIES_MUTATIONS: readonly Row[] = [
  {
    name: 'database down at claim, then down at the dead-letter consumer',
    file: 'schedules/deliveries.test.ts',
    mutations: [
      mutation(
        'R4',
        'the deadline of what is due',
        'shared/store/accept.ts',
        'min(coalesce(due_at, ?2), deadline_at),',
        'coalesce(due_at, ?2),',
      ),
      mutation(
        'R16',
        "the consumer's fresh copy",
        DELIVERIES,
        'if (wantsCopy && !this.#noReenqueue.has(key) && (await this.#replace(key, delayMs))) return;',
        '',
      ),
      mutation(
        'R7',
        'the fresh copy of a dead letter',
        'callback/sweep/dead-letter.ts',
        'if (needsFreshCopy(',
        'if (message.attempts < 0 && needsFreshCopy(',
      ),
      mutation(
        'R7',
        'the retry of a dead letter',
        'callback/sweep/dead-letter.ts',
        'message.retry({ delaySeconds });',
        'message.ack();',
      ),
    ],
  },
  {
    name: '`retrying` recorded, message redelivered at once',
    file: 'schedules/deliveries.test.ts',
    mutations: [
      mutation('R2', 'the time of the next attempt', CLAIM, '(tasks.next_at <= ?2 OR tasks.deadline_at <= ?2)', '(1)'),
      mutation(
        'R2',
        'the time of a retrying task',
        CLAIM,
        "!holdsField(status, 'nextAt') &&",
        "status === 'retrying' || !holdsField(status, 'nextAt') &&",
      ),
    ],
  },
  {
    name: '`waiting` recorded, ack lost',
    file: 'schedules/deliveries.test.ts',
    mutations: [
      mutation(
        'R2',
        'the wait for the callback',
        CLAIM,
        'openFacts(status)?.refusesClaim === undefined',
        "openFacts(status)?.refusesClaim === undefined || status === 'waiting'",
      ),
    ],
  },
  {
    name: 'the same task twice in one batch',
    file: 'schedules/deliveries.test.ts',
    mutations: [
      {
        rule: 'R10',
        out: 'the grouping by task',
        edits: [
          {
            file: 'consumer/batch.ts',
            from: 'const tasks = [...inbox.tasks.values()];',
            to: 'const tasks = [...inbox.tasks.values()].flatMap((task) => (inbox.messages.get(idOf(task)) ?? []).map(() => task));',
          },
          {
            file: 'consumer/batch.ts',
            from: 'flows.take([...pending.values()])',
            to: 'flows.take(calls)',
          },
        ],
      },
      mutation(
        'R10',
        'the shared disposition',
        DELIVERIES,
        'for (const message of messages) message.retry(',
        'for (const message of messages.slice(0, 1)) message.retry(',
      ),
    ],
  },
  {
    name: 'a claim is asked once more, and lands when its message has gone to the dead letters',
    file: 'schedules/deliveries.test.ts',
    mutations: [
      mutation(
        'R1',
        'what carries a task whose claim is repeated',
        'shared/store/claim.ts',
        // biome-ignore lint/suspicious/noTemplateCurlyInString: a piece of the source
        'due_at = CASE WHEN ${repeated} THEN tasks.due_at END',
        'due_at = NULL',
      ),
      mutation(
        'R7',
        'the second delivery of a dead letter',
        'callback/sweep/dead-letter.ts',
        'return attempts === 1;',
        'return attempts === 0;',
      ),
    ],
  },
  {
    name: 'dead letter of a task that is running elsewhere',
    file: 'schedules/deliveries.test.ts',
    mutations: [
      mutation(
        'R7',
        'the restraint of the dead-letter consumer',
        'shared/store/carrier.ts',
        'UPDATE tasks SET due_at = min(?2, deadline_at) WHERE',
        "UPDATE tasks SET status = 'failed', finished_at = ?2, lease_until = NULL, next_at = NULL WHERE",
      ),
      mutation(
        'R7',
        'the row of a task that has none',
        'callback/sweep/dead-letter.ts',
        "(body.kind === 'task' ? [body.task] : [])",
        '[]',
      ),
    ],
  },
  {
    name: 'settle throws and the handler returns normally',
    file: 'schedules/deliveries.test.ts',
    mutations: [
      mutation(
        'R5',
        'the disposition of what is left',
        DELIVERIES,
        'await Promise.all([...this.#open.keys()].map((key) => this.#returnToQueue(key)));',
        '',
      ),
      mutation(
        'R5',
        'the wait for a durable outcome',
        'consumer/delivery/settler.ts',
        "logError('settle.failed', { tasks: open.length }, error);",
        "logError('settle.failed', {}, error); for (const { id } of open) this.#onSettled({ id, status: 'failed', disposition: { kind: 'ack' } });",
      ),
      mutation(
        'R3',
        'the guard of the write',
        TRANSITIONS,
        'tasks.status = move.expected_status AND tasks.run = move.expected_run',
        'tasks.finished_at IS NULL',
      ),
    ],
  },
];
