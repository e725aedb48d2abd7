/** What takes out the rules that `schedules/capacity.test.ts` holds. */
import { KEY_LEASE, mutation, PLACE_SOURCE, type Row } from './mutation.ts';

export const CAPACITY_MUTATIONS: readonly Row[] = [
  {
    name: 'the registry answers after its caller gave up',
    file: 'schedules/capacity.test.ts',
    mutations: [
      mutation(
        'R22',
        'the giving back of what is answered late',
        PLACE_SOURCE,
        'session.giveUp({ leaseId, expiresAt, flowShard });',
        'Promise.resolve();',
      ),
      mutation(
        'R22',
        'the limit that holds while nobody counts',
        PLACE_SOURCE,
        'if (service?.maxConcurrency !== undefined || service?.requestsPerSecond !== undefined) {',
        'if (service === null) {',
      ),
      mutation(
        'R22',
        'the memory of leases that are over, in the registry',
        'callback/capacity/route.ts',
        'registry.ended.has(leaseId) || ',
        '',
      ),
    ],
  },
  {
    name: 'a question comes when nobody waits for its answer any more',
    file: 'schedules/capacity.test.ts',
    mutations: [
      mutation(
        'R22',
        'the refusal of a question that nobody waits for, in the registry',
        'callback/capacity/route.ts',
        ' || awaitedUntil <= now;',
        ' || expiresAt <= now;',
      ),
      mutation(
        'R22',
        'the refusal of a question that nobody waits for, in the key pool',
        KEY_LEASE,
        ' || awaitedUntil <= now',
        ' || expiresAt <= now',
      ),
    ],
  },
  {
    name: 'a long call ends while the registry is late to count it',
    file: 'schedules/capacity.test.ts',
    mutations: [
      mutation(
        'R22',
        'the question before what is told of its calls',
        'consumer/capacity/server-leases.ts',
        '    await this.#counting.get(leaseId);\n',
        '',
      ),
    ],
  },
  {
    name: 'the registry restarts under calls that a limit counts',
    file: 'schedules/capacity.test.ts',
    mutations: [
      mutation(
        'R22',
        'the writing of leases that a limit of calls at a time counts',
        'callback/capacity/places.ts',
        '  lease.isKept ||= limits.maxConcurrency !== undefined;\n',
        '',
      ),
    ],
  },
  {
    name: 'a key lease repeated after a lost answer',
    file: 'schedules/capacity.test.ts',
    mutations: [
      mutation(
        'R22',
        'the same answer for the same lease',
        KEY_LEASE,
        'if (earlier !== undefined) return earlier.answers as readonly BriefKeyAnswer[];',
        '',
      ),
      mutation(
        'R22',
        'the memory of leases that were given up, in the pool',
        KEY_LEASE,
        "'unused', now);\n  endLease(pool, leaseId, now);",
        "'unused', now);\n  pool.leases.delete(leaseId);",
      ),
      mutation(
        'R22',
        'the memory of leases that were used, in the pool',
        'consumer/keys/pool/release.ts',
        'if (lease.open.size === 0) endLease(pool, leaseId, now);',
        'if (lease.open.size === 0) pool.leases.delete(leaseId);',
      ),
    ],
  },
  {
    name: 'a deploy while calls are under way',
    file: 'schedules/capacity.test.ts',
    mutations: [
      mutation(
        'R22',
        'the key that stays what it is under another number',
        'consumer/keys/pool/pool.ts',
        '=>\n    Object.assign(keyOf(pool, fingerprint), { number, quotaId: group }),',
        '=> {\n      const key = { ...keyOf(pool, fingerprint), number, quotaId: group };\n      pool.keys.set(fingerprint, key);\n      return key;\n    },',
      ),
    ],
  },
  {
    name: 'a reset time years away',
    file: 'schedules/capacity.test.ts',
    mutations: [
      mutation(
        'R4',
        'the longest time that a key is closed',
        'consumer/keys/provider/key-feedback.ts',
        'Math.min(resetAt, now + MAX_RETRY_AFTER_MS)',
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
];
