/** For every row of the table in PROTOCOL.md the rules behind it, taken out. */
import {
  CLAIM,
  DECISION,
  DELIVERIES,
  mutation,
  PLACE_SOURCE,
  type Row,
  SWEEP,
  TASK_REQUESTS,
  TRANSITION,
  TRANSITIONS,
} from './mutation.ts';

/** What the row has is capped once more: whoever writes it. */
const UNCAPPED_ROW = { file: TRANSITIONS, from: 'Math.min(due, next.deadlineAt)', to: 'due' };

export const ROW_MUTATIONS: readonly Row[] = [
  {
    name: 'crash after the row says `retrying`, before the send',
    file: 'schedules.test.ts',
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
      mutation('R1', 'the due time of a manual retry', 'callback/retry-move.ts', 'dueAt: startAt + graceMs(0),', ''),
      mutation(
        'R1',
        'the message of a retrying task',
        'shared/task/disposition.ts',
        'return retryAt(state.nextAt, now);',
        "return { kind: 'ack' };",
      ),
    ],
  },
  {
    name: 'send before the row is written',
    file: 'schedules.test.ts',
    mutations: [
      {
        rule: 'R1',
        out: 'the order of the sweeper',
        edits: [
          {
            file: SWEEP,
            from: 'const moved = await recordTransitions(env.db, moves);',
            to: `await sendWakes(env.taskQueues, decisions.flatMap(({ row, decision }): Wake[] =>
              decision.wakeDelayMs === undefined ? [] : [{ id: row.id, service: row.service, delayMs: decision.wakeDelayMs }]));
            const moved = await recordTransitions(env.db, moves);`,
          },
          { file: SWEEP, from: 'await sendWakes(env.taskQueues, wakes);', to: '' },
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
    name: 'database down at claim, then down at the dead-letter consumer',
    file: 'schedules.test.ts',
    mutations: [
      mutation(
        'R4',
        'the deadline of what is due',
        'shared/store/accept.ts',
        "min(coalesce(value->>'dueAt', ?2), value->>'deadlineAt'),",
        "coalesce(value->>'dueAt', ?2),",
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
        'callback/dead-letter.ts',
        'if (needsFreshCopy(',
        'if (message.attempts < 0 && needsFreshCopy(',
      ),
      mutation(
        'R7',
        'the retry of a dead letter',
        'callback/dead-letter.ts',
        'message.retry({ delaySeconds });',
        'message.ack();',
      ),
    ],
  },
  {
    name: 'consumer dies on the last attempt',
    file: 'schedules.test.ts',
    mutations: [
      mutation(
        'R2',
        'the count of attempts at the claim',
        CLAIM,
        'const usedUp = `(tasks.run - tasks.deferrals - tasks.attempts_offset >= tasks.max_attempts)`;',
        'const usedUp = `(0)`;',
      ),
      mutation(
        'R2',
        'the hand-over of a lost run',
        CLAIM,
        'const named = `(coalesce(',
        'const named = `(0 AND coalesce(',
      ),
    ],
  },
  {
    name: '`retrying` recorded, message redelivered at once',
    file: 'schedules.test.ts',
    mutations: [
      mutation('R2', 'the time of the next attempt', CLAIM, '(tasks.next_at <= ?2 OR tasks.deadline_at <= ?2)', '(1)'),
      mutation(
        'R2',
        'the time of a retrying task',
        CLAIM,
        "tasks.status IN ('scheduled', 'retrying', 'deferred') AND (",
        "tasks.status = 'retrying' OR tasks.status IN ('scheduled', 'deferred') AND (",
      ),
    ],
  },
  {
    name: '`waiting` recorded, ack lost',
    file: 'schedules.test.ts',
    mutations: [
      mutation(
        'R2',
        'the wait for the callback',
        CLAIM,
        "tasks.status = 'queued'\n",
        "tasks.status IN ('queued', 'waiting')\n",
      ),
    ],
  },
  {
    name: 'the same task twice in one batch',
    file: 'schedules.test.ts',
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
    name: "accept's insert lands after the claim or the end",
    file: 'schedules.test.ts',
    mutations: [
      mutation(
        'R11',
        'the insert that never overwrites',
        'shared/store/accept.ts',
        'ON CONFLICT (id) DO NOTHING\n  RETURNING id`;',
        "ON CONFLICT (id) DO UPDATE SET status = 'queued', due_at = ?2, lease_until = NULL, finished_at = NULL, next_at = NULL RETURNING id`;",
      ),
    ],
  },
  {
    name: 'retention deletes a row while a duplicate is delayed in the queue',
    file: 'schedules.test.ts',
    mutations: [
      mutation(
        'R6',
        'the time that a row is kept',
        'callback/retention.ts',
        'const rowsOf = now - retentionMs;',
        'const rowsOf = now;',
      ),
      mutation(
        'R6',
        'the deadline in the message',
        'callback/claim.ts',
        'task !== undefined && task.deadlineAt <= now',
        'task === undefined && now < 0',
      ),
      mutation(
        'R6',
        'the record of what came too late',
        'callback/claim.ts',
        'await recordExpired(env.db, young,',
        'await recordExpired(env.db, young.slice(young.length),',
      ),
    ],
  },
  {
    name: 'cancel before the row exists',
    file: 'schedules.test.ts',
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
          { file: CLAIM, from: "tasks.status = 'queued'\n", to: "tasks.status = 'queued' OR tasks.service = ''\n" },
        ],
      },
      mutation('R12', 'the filling in', CLAIM, "AND excluded.service <> ''", "AND excluded.service = '!'"),
    ],
  },
  {
    name: 'deferral takes an attempt number back, manual retry goes on counting',
    file: 'schedules.test.ts',
    mutations: [
      mutation(
        'R3',
        'the run number of a deferral',
        TRANSITIONS,
        'deferrals = move.deferrals,',
        "deferrals = 0, run = tasks.run - (move.status = 'deferred'),",
      ),
      mutation(
        'R3',
        'the run number across a manual retry',
        TRANSITIONS,
        'attempts_offset = move.attempts_offset,',
        "attempts_offset = 0, run = CASE WHEN move.status = 'queued' THEN 0 ELSE tasks.run END,",
      ),
      mutation(
        'R3',
        'the run number in the token',
        'callback/claim.ts',
        'mintCallbackToken(env.tokenKey, row.id, state.run)',
        'mintCallbackToken(env.tokenKey, row.id, state.run - state.deferrals - state.attemptsOffset)',
      ),
    ],
  },
  {
    name: 'dead letter of a task that is running elsewhere',
    file: 'schedules.test.ts',
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
        'callback/dead-letter.ts',
        "(body.kind === 'task' ? [body.task] : [])",
        '[]',
      ),
    ],
  },
  {
    name: 'settle throws and the handler returns normally',
    file: 'schedules.test.ts',
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
  {
    name: 'claim commits, reports an error, is repeated',
    file: 'schedules.test.ts',
    mutations: [
      mutation(
        'R13',
        'the nonce',
        CLAIM,
        "const repeated = `(tasks.status = 'running' AND tasks.nonce = ?3)`;",
        'const repeated = `(0)`;',
      ),
    ],
  },
  {
    name: 'progress or `Retry-After` beyond the deadline',
    file: 'schedules.test.ts',
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
  {
    name: 'a wake-up whose row a newer release wrote',
    file: 'schedules.test.ts',
    mutations: [
      {
        rule: 'R21',
        out: 'the reading of one row by itself',
        edits: [
          {
            file: 'consumer/delivery/claims.ts',
            from: "return TaskRequestSchema.safeParse(JSON.parse(recorded ?? '{}')).data;\n  } catch {\n    return undefined;",
            to: "return TaskRequestSchema.parse(JSON.parse(recorded ?? '{}'));\n  } catch (error) {\n    throw error;",
          },
        ],
      },
    ],
  },
  {
    name: 'a time-out of 1.2345 s',
    file: 'schedules.test.ts',
    mutations: [
      mutation(
        'R21',
        'the reading of each element by itself',
        'shared/rpc/parse-each.ts',
        'if (parsed.success) return [parsed.data];',
        'return [schema.parse(element)];',
      ),
      {
        rule: 'R21',
        out: 'the whole milliseconds',
        edits: [
          {
            file: 'shared/service/definition.ts',
            from: 'Math.ceil(Number((value * 1000).toFixed(6))) / 1000',
            to: 'value',
          },
          { file: 'consumer/call/lease.ts', from: 'Math.ceil(timeoutMs) + ', to: 'timeoutMs + ' },
        ],
      },
    ],
  },
  {
    name: 'the registry answers after its caller gave up',
    file: 'schedules.test.ts',
    mutations: [
      mutation(
        'R22',
        'the giving back of what is answered late',
        PLACE_SOURCE,
        'await session.giveUp({ leaseId, expiresAt }).catch(',
        'await Promise.resolve().catch(',
      ),
      mutation(
        'R22',
        'the limit that holds while nobody counts',
        PLACE_SOURCE,
        'if (service?.maxConcurrency !== undefined || service?.requestsPerSecond !== undefined) {',
        'if (service === null) {',
      ),
    ],
  },
  {
    name: 'a key lease repeated after a lost answer',
    file: 'schedules.test.ts',
    mutations: [
      mutation(
        'R22',
        'the same answer for the same lease',
        'consumer/keys/pool/lease.ts',
        'if (earlier !== undefined) return earlier.answers as readonly KeyAnswer[];',
        '',
      ),
    ],
  },
  {
    name: 'a reset time years away',
    file: 'schedules.test.ts',
    mutations: [
      mutation(
        'R4',
        'the longest time that a key is closed',
        'consumer/keys/provider/key-feedback.ts',
        'Math.min(resetAt, now + MAX_WAIT_MS)',
        'resetAt',
      ),
      mutation(
        'R4',
        'the longest time that a told limit is believed',
        'shared/capacity/told.ts',
        'Math.min(told, now + MAX_WAIT_MS)',
        'told',
      ),
    ],
  },
  {
    name: '60,000 parked tasks fall due',
    file: 'schedules.test.ts',
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
  {
    name: 'a call of a slow batch that would come too late',
    file: 'schedules.test.ts',
    mutations: [
      mutation(
        'R14',
        'the look at the lease before a call',
        'consumer/call/lease.ts',
        'now > latestStart(timeoutMs, state) || ',
        '',
      ),
      mutation(
        'R14',
        'the release of a call whose turn comes too late',
        'consumer/call/call-runner.ts',
        'this.#dismiss((waiting) => waiting.latestStart <= now, {',
        'this.#dismiss((waiting) => waiting.latestStart <= 0, {',
      ),
      mutation(
        'R14',
        'the wait for a turn in the lease',
        'consumer/call/lease.ts',
        'Math.min(alone + Math.ceil(queueMs), MAX_LEASE_MS)',
        'alone',
      ),
    ],
  },
];
