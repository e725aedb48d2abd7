/**
 * Takes the secrets that a call carried out of its backend's report, with the help of the consumer that holds
 * them: what is stored can be read by the task's owner. A report that nobody can look through is not taken.
 */
import { keyOfLabel } from '../../shared/key/name.ts';
import type { SecretsHolder } from '../../shared/key/report-token.ts';
import type { RedactedReport, ReportToRedact } from '../../shared/key/rpc.ts';
import type { CallbackReport } from '../../shared/ledger/rpc.ts';
import { TELLING_BYTES, unsaidPackingOf } from '../../shared/sync/packing.ts';
import type { Config } from '../env.ts';
import { callUpstream, UNAVAILABLE } from '../upstream/upstream.ts';

type Report = CallbackReport['report'];

/** Consumers that are asked, should a deploy have moved the key; a request may cause 32 invocations. */
const MAX_ASKED = 16;

/** @returns UNAVAILABLE when a consumer that may hold the secrets does not answer */
export async function withoutSecrets(
  config: Config,
  holder: SecretsHolder | undefined,
  token: string,
  report: Report,
): Promise<Report | typeof UNAVAILABLE> {
  const texts = textsOf(report);
  if (holder === undefined || (texts.result === undefined && texts.message === undefined)) return report;
  let redacted: Omit<RedactedReport, 'hasKey'> = texts;
  for (const { rpc } of consumersOf(config, holder)) {
    const { service, key } = holder;
    const question: ReportToRedact = { ...redacted, service, token, ...(key !== undefined && { key }) };
    const answer = await callUpstream('consumer', () => rpc.redactReport(question));
    if (answer === UNAVAILABLE) return UNAVAILABLE;
    const { hasKey, ...next } = answer;
    redacted = next;
    if (hasKey) break;
  }
  return withTexts(report, redacted);
}

/** Said of a result that is packed without a word about it, where a secret was sent: nobody looks into it. */
export function packedResult(holder: SecretsHolder | undefined, report: Report): string | undefined {
  if (holder === undefined || report.status !== 'succeeded' || report.result?.encoding !== 'base64') return undefined;
  const { type, text } = report.result;
  const head = Uint8Array.from(atob(text.slice(0, HEAD_DIGITS)), (char) => char.charCodeAt(0));
  const packing = unsaidPackingOf(type, head);
  return (
    packing &&
    `The result is packed as ${packing}, and the call carried a secret that cannot be looked for in it: send it unpacked.`
  );
}

/** Of base64: enough bytes to tell a packing by. */
const HEAD_DIGITS = Math.ceil(TELLING_BYTES / 3) * 4;

export interface CleanBody {
  readonly type: string;
  readonly body: ReadableStream<Uint8Array>;
}

/** The same for a result that streams. */
export async function bodyWithoutSecrets(
  config: Config,
  holder: SecretsHolder | undefined,
  token: string,
  result: CleanBody,
): Promise<CleanBody | typeof UNAVAILABLE> {
  if (holder === undefined) return result;
  let clean = result;
  for (const { rpc } of consumersOf(config, holder)) {
    const { service, key } = holder;
    const { type, body } = clean;
    const question = { service, token, type, ...(key !== undefined && { key }) };
    const answer = await callUpstream('consumer', () => rpc.redactBody(question, body));
    if (answer === UNAVAILABLE) return UNAVAILABLE;
    clean = { type: answer.type, body: answer.body };
    if (answer.hasKey) break;
  }
  return clean;
}

/** The one that made the call first, then those that hold keys of the pool by now. */
function consumersOf({ consumers, keyShards }: Config, { shard, key }: SecretsHolder): Config['consumers'] {
  const pool = key === undefined ? undefined : keyOfLabel(key)?.pool;
  const holding = pool === undefined ? [] : (keyShards[pool] ?? []);
  const rank = (each: number) => (each === shard ? 0 : holding.includes(each) ? 1 : 2);
  return [...consumers].sort((a, b) => rank(a.shard) - rank(b.shard)).slice(0, MAX_ASKED);
}

function textsOf(report: Report): Omit<RedactedReport, 'hasKey'> {
  switch (report.status) {
    case 'succeeded':
      return report.result === undefined ? {} : { result: report.result };
    case 'failed':
      return { message: report.message };
    case 'running':
      return report.message === undefined ? {} : { message: report.message };
  }
}

function withTexts(report: Report, { result, message }: Omit<RedactedReport, 'hasKey'>): Report {
  switch (report.status) {
    case 'succeeded':
      return { ...report, ...(result !== undefined && { result }) };
    case 'failed':
      return { ...report, message: message ?? '' };
    case 'running':
      return { ...report, ...(message !== undefined && { message }) };
  }
}
