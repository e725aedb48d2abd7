/** What takes out the rule that `schedules/key-switches.test.ts` holds (decision 0096). */
import { mutation, type Row } from './mutation.ts';

const HOST = 'consumer/keys/pool/host.ts';

export const KEY_SWITCHES_MUTATIONS: readonly Row[] = [
  {
    name: 'a key that an administrator disabled',
    file: 'schedules/key-switches.test.ts',
    mutations: [
      mutation(
        '0096',
        'the writing of what is said of a key',
        HOST,
        'if (key !== undefined && action !==',
        'if (key === undefined && action !==',
      ),
      mutation(
        '0096',
        'what was said of a key that comes',
        HOST,
        'keyOf(this.#pool, fingerprint).disabledAt = disabledAt ?? undefined;',
        'keyOf(this.#pool, fingerprint);',
      ),
      mutation(
        '0096',
        'the wait for a ledger that does not say',
        HOST,
        'withinMs(this.#platform.readSwitches(strangers), SWITCHES_WITHIN_MS,',
        'withinMs(this.#platform.readSwitches(strangers).catch(() => []), SWITCHES_WITHIN_MS,',
      ),
    ],
  },
];
