/** The rules that no row of the table stands for, taken out. */
import { CLAIM, DELIVERIES, mutation, type Row, SWEEP, TASK_REQUESTS, TRANSITION, TRANSITIONS } from './mutation.ts';

const WEBHOOKS = 'migrations/0013_webhooks.sql';
const GROUPS = 'migrations/0014_groups.sql';
const MESSAGE = 'consumer/call/message.ts';
const OUTCOMES = 'consumer/delivery/outcomes.ts';

export const RULE_MUTATIONS: readonly Row[] = [
  {
    name: 'R1 carrier',
    file: 'rules.test.ts',
    mutations: [
      mutation(
        'R1',
        'the due time of what no queue took',
        'producer/accept.ts',
        'carried ? undefined : Date.now()',
        'undefined',
      ),
    ],
  },
  {
    name: 'R1 carrier: a wake-up that is lost',
    file: 'rules.test.ts',
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
    file: 'rules.test.ts',
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
    file: 'rules.test.ts',
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
        "if (state.status !== 'failed' && state.status !== 'expired') return refuse('not-applicable');",
        "if (!isTerminal(state.status)) return refuse('not-applicable');",
      ),
    ],
  },
  {
    name: 'R8 local queue in memory',
    file: 'rules.test.ts',
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
        'producer/accept.ts',
        'if (sent && !runtime.config.recordsAtAccept) return true;',
        'if (sent) return true;',
      ),
    ],
  },
  {
    name: 'R9 net',
    file: 'rules.test.ts',
    mutations: [mutation('R9', 'the net', SWEEP, 'await makeDue(env.db, step.strays, now);', '')],
  },
  {
    name: 'R12 cancel',
    file: 'rules.test.ts',
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
    file: 'rules.test.ts',
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
    file: 'rules.test.ts',
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
    file: 'rules.test.ts',
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
    name: 'R17 callbacks are idempotent',
    file: 'rules.test.ts',
    mutations: [
      mutation(
        'R17',
        'the memory of what was settled',
        TASK_REQUESTS,
        'row.settled_run === run &&',
        'row.settled_run === -1 &&',
      ),
      mutation('R17', 'the recorded status', TASK_REQUESTS, ' && row.settled_verdict === report.status', ''),
      mutation(
        'R17',
        'the refusal of an older failure',
        TRANSITION,
        'return run === state.run && statuses.includes(state.status)',
        'return run >= 0 && statuses.includes(state.status)',
      ),
      mutation(
        'R17',
        'progress in `waiting` only',
        TRANSITION,
        "staleness(state, event.run, ['waiting'])",
        "staleness(state, event.run, ['waiting', 'running'])",
      ),
      mutation(
        'R3',
        'the late success',
        TRANSITION,
        "if (event.run > state.run || event.run < 1) return refuse('stale');",
        "if (event.run !== state.run) return refuse('stale');",
      ),
    ],
  },
  {
    name: 'R25 outcomes travel',
    file: 'rules.test.ts',
    mutations: [
      mutation(
        'R25',
        'the message that brings an outcome',
        OUTCOMES,
        'deliveries.exchange(id, outcomeMessage(',
        '[].at(outcomeMessage(',
      ),
      mutation(
        'R25',
        'the wake-up after it',
        OUTCOMES,
        'else deliveries.exchange(key, wakeMessage(id, service), disposition.delayMs);',
        'else deliveries.decide(key, disposition);',
      ),
      mutation(
        'R25',
        'the word to a backend that works on a cancelled task',
        OUTCOMES,
        "if (status === 'cancelled' &&",
        "if (status === 'expired' &&",
      ),
      mutation(
        'R25',
        'the due time after a dead letter',
        'callback/dead-letter.ts',
        "case 'outcome':\n      return [body.id];",
        "case 'outcome':\n      return body.id === '' ? [body.id] : [];",
      ),
    ],
  },
  {
    name: 'R18 deferrals are bounded',
    file: 'rules.test.ts',
    mutations: [
      mutation(
        'R18',
        'the growing pause',
        'shared/task/backoff.ts',
        'DEFERRAL_FLOOR_MS * 2 ** Math.min(deferrals, 20)',
        'DEFERRAL_FLOOR_MS',
      ),
      mutation(
        'R18',
        "the growing pause of a service's line",
        'shared/capacity/opening.ts',
        'firstMs * 2 ** failures',
        'firstMs',
      ),
    ],
  },
  {
    name: 'R21 alone',
    file: 'rules.test.ts',
    mutations: [
      mutation(
        'R21',
        'the halves of a statement that is refused',
        'shared/store/parameter.ts',
        'if (only === undefined || !REFUSED_VALUE',
        'if (only !== undefined || !REFUSED_VALUE',
      ),
      mutation(
        'R21',
        'the release of what broke before its call',
        'consumer/batch.ts',
        "end([...pending.keys()].map((id) => notStarted(id, 'not-started')));",
        'pending.clear();',
      ),
      mutation(
        'R21',
        'the parts of a claim',
        'consumer/delivery/claims.ts',
        'MAX_PART_CHARS = 1_000_000',
        'MAX_PART_CHARS = 1e9',
      ),
    ],
  },
  {
    name: 'R20 waiting room',
    file: 'rules.test.ts',
    mutations: [
      mutation(
        'R20',
        'the ack of a parked task',
        'shared/task/disposition.ts',
        "its row wakes it (rule R20).\n      return dueAt === undefined ? retryAt(state.nextAt, now) : { kind: 'ack' };",
        'its row wakes it.\n      return retryAt(state.nextAt, now);',
      ),
      mutation(
        'R20',
        'the fallback',
        TRANSITIONS,
        "state.status === 'deferred' && state.parkedFor !== undefined ? state.nextAt : undefined",
        'undefined',
      ),
      mutation('R20', 'the end of parking at the claim', CLAIM, 'parked_for = NULL,', 'parked_for = tasks.parked_for,'),
      mutation('R20', 'the fallback of a line', SWEEP, 'await readLines(env.db, position, LINES)', "['service:none']"),
      mutation(
        'R1',
        'the due time of a released task',
        'shared/store/parking.ts',
        'const DUE_AT = `min(',
        'const DUE_AT = `9e15 + min(',
      ),
      mutation(
        'R20',
        'the time of a released task',
        'shared/store/parking.ts',
        'const RELEASED = `next_at = ?2, ',
        'const RELEASED = `',
      ),
      {
        rule: 'R1',
        out: 'the order of the release',
        edits: [
          {
            file: 'callback/parking.ts',
            from: 'const { released, left } = await releaseParkedTasks(db, line, limit ?? wanted, rate, now);',
            to: `const { results } = await db.prepare('SELECT id, service FROM tasks WHERE parked_for = ?1')
              .bind(line).all<{ id: string; service: string }>();
            await sendWakes(taskQueues, results.map(({ id, service }) => ({ id, service, delayMs: 0 })));
            const { released, left } = await releaseParkedTasks(db, line, limit ?? wanted, rate, now);`,
          },
          {
            file: 'callback/parking.ts',
            from: '  await sendWakes(taskQueues, wakes, shard);\n',
            to: '',
          },
        ],
      },
    ],
  },
  {
    name: 'R24 told once',
    file: 'messages.test.ts',
    mutations: [
      mutation('R24', 'the due time that carries a message', WEBHOOKS, 'new.at + 60000, 1,', 'NULL, 1,'),
      mutation('R24', 'the message about a tombstone', WEBHOOKS, "old.service = '' AND new.service <> ''", '0'),
      mutation(
        'R24',
        'the message about what is recorded when it has expired',
        WEBHOOKS,
        'WHEN new.on_complete IS NOT NULL AND new.finished_at IS NOT NULL',
        'WHEN 0',
      ),
      mutation('R24', 'a name of its own for each end', WEBHOOKS, "'_x'), 0))", "'_x' AND 0), 0))"),
      mutation(
        'R24',
        'the ends that were asked for',
        WEBHOOKS,
        "AND status IN (SELECT value FROM json_each(on_complete, '$.on'))",
        '',
      ),
      mutation(
        'R24',
        'the time of the attempt in its signature',
        MESSAGE,
        'at: Date.now()',
        'at: Date.now() - 600_000',
      ),
    ],
  },
  {
    name: 'a group',
    file: 'groups.test.ts',
    mutations: [
      mutation('R24', 'the refusal of a group that is closed', 'shared/store/accept.ts', 'AND closed_at IS NULL)', ')'),
      mutation(
        'R24',
        'the due time of a task that joins a group',
        'producer/accept.ts',
        'dueAt: Math.min(dueAt, task.deadlineAt)',
        'dueAt: undefined',
      ),
      mutation(
        'R24',
        'the end of a group that stays',
        GROUPS,
        'WHEN ended_at IS NOT NULL THEN ended_at',
        'WHEN 0 THEN ended_at',
      ),
      mutation(
        'R24',
        'the end with the last of its tasks',
        GROUPS,
        'cancelled + expired + 1 = total',
        'cancelled + expired = total',
      ),
      mutation(
        'R24',
        'the cancellation that the sweeper goes on with',
        'callback/groups.ts',
        'of await readCancellingGroups(env.db, GROUPS)',
        'of [] as GroupName[]',
      ),
    ],
  },
  {
    name: 'R22 leases by name',
    file: 'rules.test.ts',
    mutations: [
      mutation(
        'R22',
        'the same places for the same question',
        'callback/registry/route.ts',
        'if (place !== undefined) return sameAgain(place, call.id);',
        '',
      ),
      mutation(
        'R22',
        'the end of what nobody gives back',
        'callback/registry/places.ts',
        'if (expiresAt <= now) endLease(registry, id, now);',
        'if (expiresAt + 1_800_000 <= now) endLease(registry, id, now);',
      ),
    ],
  },
];
