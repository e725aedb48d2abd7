/** What takes out the rules that `schedules/deadline.test.ts` holds. */
import { mutation, type Row, TRANSITION, TRANSITIONS } from './mutation.ts';

/** What the row has is capped once more: whoever writes it. */
const UNCAPPED_ROW = { file: TRANSITIONS, from: 'Math.min(due, next.deadlineAt)', to: 'due' };

export const DEADLINE_MUTATIONS: readonly Row[] = [
  {
    name: 'progress or `Retry-After` beyond the deadline',
    file: 'schedules/deadline.test.ts',
    mutations: [
      {
        rule: 'R4',
        out: 'the cap on progress',
        edits: [
          {
            file: TRANSITION,
            from: 'Math.min(event.at + waiting.callbackTimeoutMs, state.deadlineAt)',
            to: 'event.at + waiting.callbackTimeoutMs',
          },
          UNCAPPED_ROW,
        ],
      },
      {
        rule: 'R4',
        out: 'the cap on the time for the callback',
        edits: [
          {
            file: TRANSITION,
            from: 'Math.min(at + callbackTimeoutMs, state.deadlineAt)',
            to: 'at + callbackTimeoutMs',
          },
          UNCAPPED_ROW,
        ],
      },
      mutation(
        'R4',
        'the cap on a deferral',
        TRANSITION,
        'nextAt: Math.min(at + delayMs, state.deadlineAt),\n',
        'nextAt: at + delayMs,\n',
      ),
      mutation(
        'R4',
        'the cap on a backoff',
        TRANSITION,
        "status: 'retrying', nextAt: Math.min(at + delayMs, state.deadlineAt) }",
        "status: 'retrying', nextAt: at + delayMs }",
      ),
      mutation(
        'R4',
        "the cap on a call's time-out",
        'consumer/call/lease.ts',
        'return Math.min(timeoutMs, state.deadlineAt - now);',
        'return timeoutMs;',
      ),
    ],
  },
];
