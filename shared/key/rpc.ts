/**
 * What the producer asks of a consumer about its keys: how they stand, and what an administrator does
 * to them; and to take keys out of what backends report. Keys are named by pool, number and fingerprint;
 * their values stay where they are.
 */

import * as z from 'zod';
import type { KnownLimit } from '../capacity/known-limits.ts';
import { ContentSchema } from '../task/content.ts';

export const KEY_ACTIONS = ['disable', 'enable', 'reset'] as const;
export type KeyAction = (typeof KEY_ACTIONS)[number];

export interface KeyView {
  readonly pool: string;
  /** How the key is called in addresses: `3`, or `gemini-3`. */
  readonly key: string;
  readonly number: number;
  readonly fingerprint: string;
  readonly state: 'ready' | 'cooling' | 'disabled';
  /** Unix ms: when it is ready again, or tried again. */
  readonly until?: number;
  readonly why?: string;
  readonly inFlight: number;
  /** Since the pool was last started. */
  readonly calls: number;
  readonly rateLimited: number;
  /** Unix ms. */
  readonly lastUsedAt: number | undefined;
  /** As far as they are known; of one bucket where the provider limits by model. */
  readonly limits: readonly (KnownLimit & { readonly bucket?: string })[];
}

/** A key as it was given to a shard, used or left out. */
export interface KeyFingerprint {
  readonly variable: string;
  readonly pool: string;
  /** 16 digits of a hash: alike where the keys are, whichever shards hold them. */
  readonly fingerprint: string;
}

/** Where the secrets of a call are that its backend reports of. */
const SecretsSchema = z.object({
  service: z.string(),
  /** The label of the key that the call carried. */
  key: z.string().optional(),
  /** Of the run. */
  token: z.string(),
});
export type SecretsOfCall = z.output<typeof SecretsSchema>;

export const ReportToRedactSchema = SecretsSchema.extend({
  result: ContentSchema.optional(),
  message: z.string().optional(),
});
/** What a backend reports of a run. */
export type ReportToRedact = z.output<typeof ReportToRedactSchema>;

export interface RedactedReport extends Pick<ReportToRedact, 'result' | 'message'> {
  /** False: the key is not here, another shard may have it. */
  readonly hasKey: boolean;
}

/** Of a body that streams: its media type. */
export const BodyToRedactSchema = SecretsSchema.extend({ type: z.string() });
export type BodyToRedact = z.output<typeof BodyToRedactSchema>;

export interface RedactedBody extends Pick<RedactedReport, 'hasKey'> {
  readonly type: string;
  readonly body: ReadableStream<Uint8Array>;
}

/** The consumer's entrypoint `KeyAdmin`. */
export interface KeyRpc {
  describe(): Promise<KeyView[]>;
  /** Asks nothing of the pools. */
  fingerprints(): Promise<KeyFingerprint[]>;
  /** @returns the key afterwards; undefined when this shard has no such key */
  change(key: string, action: KeyAction): Promise<KeyView | undefined>;
  /** Takes the secrets of its call out of a report. */
  redactReport(report: ReportToRedact): Promise<RedactedReport>;
  /** The same for a body, while it streams. */
  redactBody(description: BodyToRedact, body: ReadableStream<Uint8Array>): Promise<RedactedBody>;
}
