/**
 * What an administrator said of a key, as pools tell it to the ledger and ask it of keys that they meet: a deploy may have
 * moved them from another shard. Safe to say and to ask twice.
 */
import * as z from 'zod';

/** 16 digits of a hash. */
export const FingerprintSchema = z.string().max(64);

export const KeySwitchSchema = z.object({
  fingerprint: FingerprintSchema,
  /** Unix ms; null: it is on again. */
  disabledAt: z.number().nullable(),
});
export type KeySwitch = z.output<typeof KeySwitchSchema>;

/** The ledger, as key pools see it. */
export interface KeySwitchHost {
  /** @returns nothing of keys that nobody has ever switched */
  readKeySwitches(fingerprints: string[]): Promise<KeySwitch[]>;
  keepKeySwitch(change: KeySwitch): Promise<void>;
}
