/** What takes out the rules that `schedules/rows.test.ts` holds. */
import { CLAIM, mutation, type Row, TASK_REQUESTS } from './mutation.ts';

export const ROWS_MUTATIONS: readonly Row[] = [
  {
    name: "accept's insert lands after the claim or the end",
    file: 'schedules/rows.test.ts',
    mutations: [
      mutation(
        'R11',
        'the insert that never overwrites',
        'shared/store/accept.ts',
        'ON CONFLICT (id) DO NOTHING`;',
        "ON CONFLICT (id) DO UPDATE SET status = 'queued', due_at = ?2, lease_until = NULL, finished_at = NULL, next_at = NULL`;",
      ),
    ],
  },
  {
    name: 'retention deletes a row while a duplicate is delayed in the queue',
    file: 'schedules/rows.test.ts',
    mutations: [
      mutation(
        'R6',
        'the time that a row is kept',
        'callback/sweep/retention.ts',
        'const rowsOf = now - retentionMs;',
        'const rowsOf = now;',
      ),
      mutation(
        'R6',
        'the deadline in the message',
        'callback/runs/claim.ts',
        'task !== undefined && task.deadlineAt <= now',
        'task === undefined && now < 0',
      ),
      mutation(
        'R6',
        'the record of what came too late',
        'callback/runs/claim.ts',
        'await eachAlone(young, ',
        'await eachAlone(young.slice(young.length), ',
      ),
    ],
  },
  {
    name: 'cancel before the row exists',
    file: 'schedules/rows.test.ts',
    mutations: [
      mutation(
        'R12',
        'the tombstone',
        TASK_REQUESTS,
        'if (request.plantTombstone && ',
        'if (request.id === undefined && ',
      ),
      {
        rule: 'R12',
        out: 'the respect for the tombstone',
        edits: [
          {
            file: CLAIM,
            from: "const tombstone = `(tasks.status = 'cancelled' AND tasks.service = '')`;",
            to: 'const tombstone = `(0)`;',
          },
          { file: CLAIM, from: 'OR (tasks.status IN (', to: "OR tasks.service = '' OR (tasks.status IN (" },
        ],
      },
      mutation('R12', 'the filling in', CLAIM, "AND excluded.service <> ''", "AND excluded.service = '!'"),
    ],
  },
];
