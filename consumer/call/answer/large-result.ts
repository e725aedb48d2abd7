/**
 * Keeps a result that is too large for a row: it streams into the bucket, and what the backend was sent in confidence is
 * taken out on its way, wherever the pieces of the stream are cut.
 */
import { newResultKey } from '../../../shared/bodies/object-key.ts';
import { writeBody } from '../../../shared/bodies/write-body.ts';
import { shorten } from '../../../shared/task/attempt.ts';
import { redactedStream } from '../../keys/secrets/redaction-stream.ts';
import type { Call } from '../call.ts';
import type { RedactionEnv } from '../call-env.ts';
import type { Outcome } from './outcome.ts';
import type { ReadBody } from './response-body.ts';

/**
 * At most so much of one answer: every byte is looked through for secrets, 0.5 to 5 ms of processor for 64 KB (decision
 * 0035), and a batch has 30 s of it (Workers limits, "CPU time"). What is larger is uploaded by the backend.
 */
const MAX_ANSWER_BYTES = 100 * 1024 * 1024;

type LargeBody = Extract<ReadBody, { kind: 'large' }>;

/** @returns the outcome, once the result is safe. Rejects only when the attempt was aborted. */
export async function keepResult(
  env: RedactionEnv,
  bucket: R2Bucket,
  call: Call,
  { stream, type }: LargeBody,
  signal: AbortSignal,
): Promise<Outcome> {
  const redactor = env.redactor(call).and(call.callbackToken);
  const clean = redactedStream(stream, redactor, type);
  try {
    const options = { type: redactor.text(type), maxBytes: MAX_ANSWER_BYTES };
    const written = await writeBody(bucket, newResultKey(call.id), clean, options);
    if (written.ok) return { kind: 'succeeded', result: undefined, stored: written.body };
    const message = `The backend's answer is larger than ${MAX_ANSWER_BYTES} bytes; what is larger it uploads, and reports by callback.`;
    return { kind: 'permanent', error: { class: 'result-too-large', message } };
  } catch (error) {
    if (signal.aborted) throw error;
    const cause = redactor.text(error instanceof Error ? error.message : String(error));
    const message = shorten(`The result could not be kept: ${cause}`);
    return { kind: 'retryable', error: { class: 'network', message }, retryAfterMs: undefined };
  }
}
