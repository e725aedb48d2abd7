/** What takes out the rules that `schedules/wake-ups.test.ts` holds. */
import { DECISION, mutation, type Row, SWEEP, TASK_REQUESTS } from './mutation.ts';

export const WAKE_UPS_MUTATIONS: readonly Row[] = [
  {
    name: 'crash after the row says `retrying`, before the send',
    file: 'schedules/wake-ups.test.ts',
    mutations: [
      mutation(
        'R1',
        'the due time of an overdue callback',
        DECISION,
        'dueAt: now + wakeDelayMs + graceMs(0)',
        'dueAt: undefined',
      ),
      mutation(
        'R1',
        'the due time of a re-sent wake-up',
        DECISION,
        'dueAt: now + delayMs + graceMs(sends)',
        'dueAt: undefined',
      ),
      mutation('R1', 'the due time of a reported failure', TASK_REQUESTS, 'dueAt: next.nextAt + graceMs(0), ', ''),
      mutation(
        'R1',
        'the due time of a manual retry',
        'callback/runs/retry-move.ts',
        'dueAt: startAt + graceMs(0),',
        '',
      ),
      mutation(
        'R1',
        'the message of a retrying task',
        'shared/task/disposition.ts',
        "return retryAt('nextAt' in state ? state.nextAt : now, now);",
        "return { kind: 'ack' };",
      ),
    ],
  },
  {
    name: 'send before the row is written',
    file: 'schedules/wake-ups.test.ts',
    mutations: [
      {
        rule: 'R1',
        out: 'the order of the sweeper',
        edits: [
          {
            file: SWEEP,
            from: 'const moved = await recordTransitions(env.db, moves);',
            to: `await wakeAtKeys(env, decisions.flatMap(({ row, decision }): Wake[] =>
              decision.wakeDelayMs === undefined ? [] : [{ id: row.id, service: row.service, delayMs: decision.wakeDelayMs }]));
            const moved = await recordTransitions(env.db, moves);`,
          },
          { file: SWEEP, from: '    await wakeAtKeys(env, wakes);\n    await', to: '    await' },
        ],
      },
      {
        rule: 'R1',
        out: 'the order of callback and manual retry',
        edits: [
          { file: TASK_REQUESTS, from: 'await followUp(id, decision.after);', to: '' },
          {
            file: TASK_REQUESTS,
            from: 'const moved = await recordTransitions(db, [decision.move]);',
            to: `await followUp(id, decision.after);
            const moved = await recordTransitions(db, [decision.move]);`,
          },
        ],
      },
    ],
  },
  {
    name: '60,000 parked tasks fall due',
    file: 'schedules/wake-ups.test.ts',
    mutations: [
      {
        rule: 'R23',
        out: 'the share of each kind',
        edits: [
          { file: 'shared/store/carrier.ts', from: "callback: `status = 'waiting'`,", to: 'callback: `1`,' },
          {
            file: 'shared/store/carrier.ts',
            from: "deadline: `status <> 'waiting' AND due_at = deadline_at`,",
            to: 'deadline: `0`,',
          },
          {
            file: 'shared/store/carrier.ts',
            from: "send: `status <> 'waiting' AND parked_for IS NULL AND due_at < deadline_at`,",
            to: 'send: `0`,',
          },
        ],
      },
    ],
  },
];
