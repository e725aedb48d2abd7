/** What takes out the rules that `schedules/runs.test.ts` holds. */
import { CLAIM, mutation, type Row, TRANSITIONS } from './mutation.ts';

export const RUNS_MUTATIONS: readonly Row[] = [
  {
    name: 'consumer dies on the last attempt',
    file: 'schedules/runs.test.ts',
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
    name: 'deferral takes an attempt number back, manual retry goes on counting',
    file: 'schedules/runs.test.ts',
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
        'callback/runs/claim.ts',
        'mintCallbackToken(tokenKey, id, state.run)',
        'mintCallbackToken(tokenKey, id, state.run - state.deferrals - state.attemptsOffset)',
      ),
    ],
  },
  {
    name: 'claim commits, reports an error, is repeated',
    file: 'schedules/runs.test.ts',
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
    name: 'a call of a slow batch that would come too late',
    file: 'schedules/runs.test.ts',
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
        'the look at the lease before room is asked for',
        'consumer/capacity/leases.ts',
        'if (expiresAt <= now) return {',
        'if (expiresAt === now - 1) return {',
      ),
      mutation(
        'R14',
        'the release of a call whose turn comes too late',
        'consumer/call/call-runner.ts',
        'this.#dismiss(({ latestStart }) => (latestStart <= now ? TOO_LATE : undefined));',
        'this.#dismiss(({ latestStart }) => (latestStart <= 0 ? TOO_LATE : undefined));',
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
