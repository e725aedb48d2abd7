/** Rules of ends, lines and messages, each taken out. */
import { CLAIM, mutation, type Row, SWEEP, TASK_REQUESTS, TRANSITION, TRANSITIONS } from './mutation.ts';

/** Where the schema's triggers stand as they are now: a later migration made them again. */
const TRIGGERS = 'migrations/0041_statuses_are_not_listed.sql';
const MESSAGE = 'consumer/call/message.ts';
const OUTCOMES = 'consumer/delivery/outcomes.ts';

export const END_MUTATIONS: readonly Row[] = [
  {
    name: 'R17 callbacks are idempotent',
    file: 'rules/end.test.ts',
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
    file: 'rules/end.test.ts',
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
        'callback/sweep/dead-letter.ts',
        "case 'outcome':\n      return [body.id];",
        "case 'outcome':\n      return body.id === '' ? [body.id] : [];",
      ),
    ],
  },
  {
    name: 'R18 deferrals are bounded',
    file: 'rules/lease.test.ts',
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
    file: 'rules/line.test.ts',
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
      mutation(
        'R21',
        'the signing of each token by itself',
        'callback/runs/claim.ts',
        'return await grant(env, row, requests.get(id));',
        'return grant(env, row, requests.get(id));',
      ),
    ],
  },
  {
    name: 'R20 waiting room',
    file: 'rules/line.test.ts',
    mutations: [
      mutation(
        'R13',
        'what becomes of a claim that is spent',
        CLAIM,
        'const spent = `(tasks.nonce IS ?3)`;',
        'const spent = `(0)`;',
      ),
      mutation(
        'R13',
        'the end of a claim that nobody waits for',
        'callback/ledger.ts',
        'if (awaitedUntil <= Date.now())',
        'if (awaitedUntil <= 0)',
      ),
      mutation(
        'R13',
        'the message of a task that is to be woken soon',
        'shared/task/disposition.ts',
        ' && !isSoon',
        '',
      ),
      mutation(
        'R20',
        'the ack of a parked task',
        'shared/task/disposition.ts',
        "if (facts.wokenBy === 'row' && dueAt !== undefined",
        "if (facts.wokenBy === 'row' && dueAt !== undefined && !('parkedFor' in state)",
      ),
      mutation(
        'R20',
        'the fallback',
        TRANSITIONS,
        "'parkedFor' in state && state.parkedFor !== undefined ? state.nextAt : undefined",
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
            from: '  await sendWakes(taskQueues, wakes, only(shard));\n',
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
      mutation('R24', 'the due time that carries a message', TRIGGERS, 'new.at + 60000, 1,', 'NULL, 1,'),
      mutation(
        'R24',
        'the message about a tombstone',
        TRIGGERS,
        "new.on_complete IS NOT NULL AND old.service = '' AND new.service <> ''",
        '0',
      ),
      mutation(
        'R24',
        'the message about what is recorded when it has expired',
        TRIGGERS,
        'WHEN new.on_complete IS NOT NULL AND new.finished_at IS NOT NULL',
        'WHEN 0',
      ),
      mutation('R24', 'a name of its own for each end', TRIGGERS, "'_x'), 0))", "'_x' AND 0), 0))"),
      mutation(
        'R24',
        'the ends that were asked for',
        TRIGGERS,
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
        'producer/accept/accept.ts',
        'dueAt: Math.min(dueAt, task.deadlineAt)',
        'dueAt: undefined',
      ),
      mutation(
        'R24',
        'the end of a group that stays',
        TRIGGERS,
        'WHEN ended_at IS NOT NULL THEN ended_at',
        'WHEN 0 THEN ended_at',
      ),
      mutation(
        'R24',
        'the end with the last of its tasks',
        TRIGGERS,
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
    file: 'rules/lease.test.ts',
    mutations: [
      mutation(
        'R22',
        'the same places for the same question',
        'callback/capacity/route.ts',
        'if (place !== undefined) return placed(place, call.id);',
        '',
      ),
      mutation(
        'R22',
        'the end of what nobody gives back',
        'callback/capacity/places.ts',
        'if (expiresAt <= now) endLease(registry, id, now);',
        'if (expiresAt + 1_800_000 <= now) endLease(registry, id, now);',
      ),
    ],
  },
];
