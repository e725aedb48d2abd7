/**
 * The token with which a backend reports on a run, as it is sent along with the call. Behind `~` it names who
 * holds the secrets that the call carried, so that they are taken out of the report before it is stored: the
 * Workers that take reports have none. That part is no secret and is not signed; it grants nothing. Pure.
 */
import { SERVICE_NAME_PATTERN } from '../service/definition.ts';

export interface SecretsHolder {
  readonly shard: number;
  readonly service: string;
  /** The label of the key that was used. */
  readonly key?: string | undefined;
}

/** `holder` undefined: the call carried no secret. */
export function tokenForBackend(token: string, holder: SecretsHolder | undefined): string {
  if (holder === undefined) return token;
  const { shard, service, key } = holder;
  return `${token}~${[shard, service, ...(key === undefined ? [] : [key])].join('.')}`;
}

export function readReportToken(text: string): { readonly token: string; readonly holder?: SecretsHolder } {
  const at = text.indexOf('~');
  if (at < 0) return { token: text };
  const [shard = '', service = '', key, ...more] = text.slice(at + 1).split('.');
  const isReadable = /^\d{1,6}$/.test(shard) && SERVICE_NAME_PATTERN.test(service) && more.length === 0;
  // What cannot be read belongs to no token of ours.
  if (!isReadable) return { token: text };
  return { token: text.slice(0, at), holder: { shard: Number(shard), service, key } };
}
