/**
 * Takes the secrets that a call carried out of what its backend reports later, as `attempt.ts` does with what a
 * backend answers: the key, the service's secret headers, the token of the run.
 */
import { keyOfLabel } from '../../../shared/key/name.ts';
import {
  type BodyToRedact,
  BodyToRedactSchema,
  type RedactedBody,
  type RedactedReport,
  type ReportToRedact,
  ReportToRedactSchema,
  type SecretsOfCall,
} from '../../../shared/key/rpc.ts';
import { findService } from '../../../shared/service/refresh.ts';
import type { RedactionEnv, RegistryEnv } from '../../call/call-env.ts';
import type { CatalogEnv, KeyEnv } from '../../capacity/capacity-env.ts';
import { callRedaction } from './callback-token.ts';
import { type Redactor, redactContent } from './redaction.ts';
import { redactedStream } from './redaction-stream.ts';

/** What looking through a report needs of a consumer. */
interface ReportEnv extends CatalogEnv, KeyEnv, RedactionEnv, RegistryEnv {}

export async function redactReport(env: ReportEnv, report: ReportToRedact): Promise<RedactedReport> {
  const { result, message, ...source } = ReportToRedactSchema.parse(report);
  const { hasKey, ofService } = await secretsOf(env, source);
  const redact = callRedaction(ofService, source.token);
  return {
    hasKey,
    ...(result !== undefined && { result: redactContent(result, redact) }),
    ...(message !== undefined && { message: redact(message) }),
  };
}

/** The answer comes before the body has been read. */
export async function redactBody(
  env: ReportEnv,
  description: BodyToRedact,
  body: ReadableStream<Uint8Array>,
): Promise<RedactedBody> {
  const { type, ...source } = BodyToRedactSchema.parse(description);
  const { hasKey, ofService } = await secretsOf(env, source);
  const redactor = ofService.and(source.token);
  const clean = redactedStream(body, redactor, type);
  // Between Workers only the runtime's own streams of bytes travel.
  return { hasKey, type: redactor.text(type), body: clean.pipeThrough(new IdentityTransformStream()) };
}

async function secretsOf(
  env: ReportEnv,
  { service, key: label }: SecretsOfCall,
): Promise<{ readonly hasKey: boolean; readonly ofService: Redactor }> {
  const key = label === undefined ? undefined : keyOfLabel(label);
  const definition = await findService(env, service);
  return {
    hasKey: key === undefined || env.keys.value(key.pool, key.number) !== undefined,
    ofService: env.redactor({ service, ...(definition && { definition }), ...(key && { key }) }),
  };
}
