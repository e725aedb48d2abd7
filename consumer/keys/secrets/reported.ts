/**
 * Takes the secrets that a call carried out of what its backend reports later, as `attempt.ts` does with what a
 * backend answers: the key, the service's secret headers, the token of the run.
 */
import * as z from 'zod';
import { keyOfLabel } from '../../../shared/key/name.ts';
import type { RedactedReport, ReportToRedact } from '../../../shared/key/rpc.ts';
import { findService } from '../../../shared/service/refresh.ts';
import { ContentSchema } from '../../../shared/task/content.ts';
import type { ConsumerEnv } from '../../env.ts';
import { tokenRedaction } from './callback-token.ts';
import { redactContent } from './redaction.ts';

const ReportToRedactSchema = z.object({
  service: z.string(),
  key: z.string().optional(),
  token: z.string(),
  result: ContentSchema.optional(),
  message: z.string().optional(),
});

export async function redactReport(env: ConsumerEnv, report: ReportToRedact): Promise<RedactedReport> {
  const { service, key: label, token, result, message } = ReportToRedactSchema.parse(report);
  const key = label === undefined ? undefined : keyOfLabel(label);
  const definition = await findService(
    env.known,
    (version) => env.registry.readServices(version),
    service,
    (known) => known !== undefined,
  );
  const ofService = env.redactor({ service, ...(definition && { definition }), ...(key && { key }) });
  const ofCall = tokenRedaction(token);
  const redact = (text: string) => ofCall(ofService.text(text));
  return {
    hasKey: key === undefined || env.keys.value(key.pool, key.number) !== undefined,
    ...(result !== undefined && { result: redactContent(result, redact) }),
    ...(message !== undefined && { message: redact(message) }),
  };
}
