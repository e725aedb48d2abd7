/** Rules of what carries a task, of its runs and leases, each taken out. */
import { CLAIM, DELIVERIES, mutation, type Row, SWEEP, TASK_REQUESTS, TRANSITION, TRANSITIONS } from './mutation.ts';

export const CARRIER_MUTATIONS: readonly Row[] = [
  {
    name: 'R1 carrier',
    file: 'rules/carrier.test.ts',
    mutations: [
      mutation(
        'R1',
        'the due time of what no queue took',
        'producer/accept/accept.ts',
        'carried ? undefined : Date.now()',
        'undefined',
      ),
    ],
  },
  {
    name: 'R1 carrier: a wake-up that is lost',
    file: 'rules/carrier.test.ts',
    mutations: [
      mutation('R1', 'the cap on the due time of a wake-up', TRANSITIONS, 'Math.min(due, next.deadlineAt)', 'due'),
      mutation(
        'R9',
        'the cap on the due time of a stray',
        'shared/store/carrier.ts',
        'due_at = min(?2, deadline_at)',
        'due_at = ?2',
      ),
    ],
  },
  {
    name: 'R2 the row decides',
    file: 'rules/lease.test.ts',
    mutations: [
      mutation(
        'R2',
        'the lease before the deadline, at the claim',
        CLAIM,
        'tasks.lease_until <= ?2 AND NOT',
        '(tasks.lease_until <= ?2 OR tasks.deadline_at <= ?2) AND NOT',
      ),
      mutation(
        'R2',
        'the lease before the deadline, in the sweeper',
        TRANSITION,
        "if (state.status === 'running' && state.leaseUntil > event.at) return refuse('leased');",
        '',
      ),
    ],
  },
  {
    name: 'R3 run number',
    file: 'rules/lease.test.ts',
    mutations: [
      mutation(
        'R3',
        'the deferrals in the count of attempts',
        CLAIM,
        'tasks.run - tasks.deferrals - tasks.attempts_offset >= tasks.max_attempts',
        'tasks.run - tasks.attempts_offset >= tasks.max_attempts',
      ),
      mutation(
        'R3',
        'the offset set by a manual retry',
        TRANSITION,
        'attemptsOffset: state.run - state.deferrals,',
        'attemptsOffset: state.attemptsOffset,',
      ),
      mutation('R3', 'the new deadline of a manual retry', TRANSITION, 'deadlineAt: event.deadlineAt,', ''),
      mutation(
        'R3',
        'the end that is final',
        TRANSITION,
        "if (!RETRYABLE_STATUSES.includes(state.status)) return refuse('not-applicable');",
        "if (!isTerminal(state.status)) return refuse('not-applicable');",
      ),
    ],
  },
  {
    name: 'R8 local queue in memory',
    file: 'rules/carrier.test.ts',
    mutations: [
      mutation(
        'R8',
        'the due time at start',
        'shared/store/recovery.ts',
        'due_at = min(coalesce(next_at, ?1), deadline_at)',
        'due_at = NULL',
      ),
      mutation(
        'R8',
        'the end of the lease at start',
        'shared/store/recovery.ts',
        'min(lease_until, ?1) END',
        'lease_until END',
      ),
      mutation(
        'R8',
        'the wait for the row',
        'producer/accept/accept.ts',
        'if (sent && !runtime.config.recordsAtAccept) return true;',
        'if (sent) return true;',
      ),
    ],
  },
  {
    name: 'R9 net',
    file: 'rules/carrier.test.ts',
    mutations: [mutation('R9', 'the net', SWEEP, 'await makeDue(env.db, step.strays, now);', '')],
  },
  {
    name: 'R12 cancel',
    file: 'rules/end.test.ts',
    mutations: [
      mutation(
        'R12',
        'the abort of a running call',
        'consumer/call/call-runner.ts',
        'this.#running.get(id)?.abort(new CancelledError())',
        'id.at(0)',
      ),
      mutation(
        'R12',
        'the word to a backend that works on its own',
        TASK_REQUESTS,
        "return state.status === 'waiting'\n",
        "return state.status === 'scheduled'\n",
      ),
      mutation(
        'R12',
        'the server that works on a waiting task',
        'callback/task-requests.ts',
        'row.server ?? undefined',
        'undefined',
      ),
      mutation(
        'R12',
        'the word to a backend that accepted meanwhile',
        'consumer/batch.ts',
        "if (event.type === 'accept') accepted.set(id, server);",
        'accepted.delete(id);',
      ),
    ],
  },
  {
    name: 'R14 calls respect the lease',
    file: 'rules/lease.test.ts',
    mutations: [
      mutation(
        'R14',
        'the abort of a call',
        'consumer/call/timeouts.ts',
        'abort.abort(new TimeoutError())',
        'abort.signal.aborted',
      ),
    ],
  },
  {
    name: 'R15 promptness',
    file: 'rules/carrier.test.ts',
    mutations: [
      mutation(
        'R15',
        'the copy beside a long call',
        DELIVERIES,
        'if (!this.#noReenqueue.has(key)) this.#copying.push(this.#replace(key, 0));',
        '',
      ),
    ],
  },
  {
    name: 'R16 back off from the database too',
    file: 'rules/carrier.test.ts',
    mutations: [
      mutation(
        'R16',
        'the growing delay',
        'shared/message/delivery.ts',
        'return doublingDelayMs(2_000, attempts - 1, 600_000);',
        'return doublingDelayMs(2_000, attempts * 0, 600_000);',
      ),
      mutation(
        'R16',
        'the copy of an old message',
        'shared/message/delivery.ts',
        ' || ageMs >= MAX_AGE_MS',
        ' && ageMs >= 0',
      ),
      mutation(
        'R16',
        'the copy before delivery 100',
        'shared/message/delivery.ts',
        'attempts >= MAX_DELIVERIES || ',
        '',
      ),
    ],
  },
  {
    name: 'accepting one task',
    file: '../producer/accept/accept.test.ts',
    mutations: [
      mutation(
        'R19',
        'the word that a refused task may run',
        'producer/submission/submission.ts',
        'The task was not accepted for certain: it may still run. ',
        'The task was not accepted. ',
      ),
    ],
  },
];
