/** What takes out the rules of capacity and of its lines that tests of single parts hold. */
import { KEY_LEASE, mutation, PLACE_SOURCE, type Row } from './mutation.ts';

const CALL_RUNNER = 'consumer/call/call-runner.ts';
const SERVICE = 'callback/capacity/service.ts';

export const LINE_MUTATIONS: readonly Row[] = [
  {
    name: 'a copy of a question that comes after a later one was answered',
    file: '../callback/capacity/places.unit.test.ts',
    mutations: [
      mutation(
        'R22',
        'the refusal of a copy that comes after a later one',
        'callback/capacity/route.ts',
        ' || isEarlier',
        '',
      ),
    ],
  },
  {
    name: 'a question that cannot be answered is refused',
    file: '../shared/object/waiting-questions.unit.test.ts',
    mutations: [
      mutation(
        'R21',
        'the answer to each question that waits by itself',
        'shared/object/waiting-questions.ts',
        'waiting.reject(error);',
        'throw error;',
      ),
      mutation(
        'R20',
        'the longest time that a question is held',
        'shared/object/waiting-questions.ts',
        'this.#isWorthHolding(answer) && now < waiting.until',
        'this.#isWorthHolding(answer)',
      ),
    ],
  },
  {
    name: 'a question that may be held',
    file: '../callback/registry/held.unit.test.ts',
    mutations: [
      mutation(
        'R20',
        'the look at what time alone brings',
        'callback/registry/host.ts',
        'if (!isKept && this.#waiting.isEmpty && dueAt === Infinity) return;',
        'if (!isKept && dueAt === Infinity) return;',
      ),
    ],
  },
  {
    name: 'a question for a key that may wait',
    file: '../consumer/keys/pool/host.unit.test.ts',
    mutations: [
      mutation(
        'R22',
        'the end of a lease that nobody waits for',
        KEY_LEASE,
        'if (pool.ended.has(leaseId) || awaitedUntil <= now) return [];',
        '',
      ),
    ],
  },
  {
    name: 'a registry of another release',
    file: '../consumer/capacity/place-source.unit.test.ts',
    mutations: [
      mutation(
        'R22',
        'the giving back of places that cannot be read',
        PLACE_SOURCE,
        'await releaseUnread(env, session, request, answers);',
        '',
      ),
    ],
  },
  {
    name: 'a pool of another release',
    file: '../consumer/capacity/key-source.unit.test.ts',
    mutations: [
      mutation(
        'R22',
        'the giving back of keys that cannot be read',
        'consumer/capacity/key-source.ts',
        'if (unreadable.length > 0) {',
        'if (unreadable === undefined) {',
      ),
    ],
  },
  {
    name: 'the key that goes ahead holds the others back no longer',
    file: '../consumer/keys/pool/choice.unit.test.ts',
    mutations: [
      mutation(
        'R20',
        'the change of the key that goes ahead',
        'consumer/keys/pool/choice.ts',
        'if (!isAway(place)) canary = room;',
        'canary = room;',
      ),
    ],
  },
  {
    name: 'a task that is refused again and again without a time, while others are let in',
    file: '../callback/capacity/line.unit.test.ts',
    mutations: [
      mutation(
        'R21',
        'the look at whom a refusal is about',
        SERVICE,
        'const isOdd = isSilent && isRefusedAlone(service.limiter, task);',
        'const isOdd = false;',
      ),
    ],
  },
  {
    name: 'its line, where the 429 says no time',
    file: '../callback/capacity/line.unit.test.ts',
    mutations: [
      mutation(
        'R20',
        'what was let in before anybody counted',
        SERVICE,
        'limiter?.limiter.noteUncountedStart(at);',
        'void [limiter, at];',
      ),
      mutation(
        'R20',
        'the order in which that is read',
        'callback/capacity/report.ts',
        'for (const report of [...first, ...later]) {',
        'for (const report of reports) {',
      ),
    ],
  },
  {
    name: 'a service at a fixed address, without keys, that answers 429',
    file: '../consumer/capacity/limited-service.test.ts',
    mutations: [
      mutation(
        'R20',
        'the stop of a batch whose calls are refused',
        CALL_RUNNER,
        'this.#dismiss(({ call }) => this.#host.heldBack(call));',
        '',
      ),
    ],
  },
  {
    name: 'an overdue task in a line',
    file: '../callback/parking.test.ts',
    mutations: [
      mutation(
        'R9',
        'the look through lines',
        'callback/sweep/sweep.ts',
        'await endOverdueHeads(env, lines, now);',
        '',
      ),
      mutation(
        'R9',
        'the look through lines whose head is not overdue, each in its turn',
        'callback/sweep/sweep.ts',
        '[...inTurn, ...overdue], OVERDUE_HEADS',
        'overdue, OVERDUE_HEADS',
      ),
    ],
  },
  {
    name: 'a line',
    file: '../shared/store/parking.test.ts',
    mutations: [
      mutation(
        'R20',
        'the place behind others of a task that was refused',
        'shared/store/turns.ts',
        'WHEN is_again AND is_behind THEN max(park.place',
        'WHEN is_again AND is_behind THEN min(park.place',
      ),
      mutation(
        'R9',
        'the due time of the overdue heads of a line',
        'shared/store/parking.ts',
        'AND parked_for IS NOT NULL AND due_at < deadline_at AND deadline_at <= ?2\n     RETURNING',
        'AND parked_for IS NULL AND due_at < deadline_at AND deadline_at <= ?2\n     RETURNING',
      ),
    ],
  },
];
