/** Checks a definition that is put at run time as a deploy checks those of `wrangler.toml`, and says so in the same words. */
import type * as z from 'zod';
import { poolNameOf } from '../../shared/key/name.ts';
import type { FieldError } from '../../shared/problem/problem.ts';
import { serviceSchema } from '../../shared/service/definition.ts';
import { isOwnAddress, OWN_ADDRESS_PROBLEM } from '../../shared/service/own-address.ts';
import { headerSecretNames, reviewService, type ServiceFinding } from '../../shared/service/review.ts';
import { invalidRequest } from '../answer/field-errors.ts';
import type { Refusal } from '../answer/refusal.ts';
import { sharedKeys } from '../keys/shared-keys.ts';
import type { Runtime } from '../runtime.ts';

type Definition = z.output<ReturnType<typeof serviceSchema>>;

export type CheckedDefinition =
  | { readonly ok: true; readonly definition: Definition; readonly warnings: readonly FieldError[] }
  | { readonly ok: false; readonly refusal: Refusal };

export async function checkDefinition({ config }: Runtime, sent: unknown): Promise<CheckedDefinition> {
  const checked = serviceSchema(config.allowsPrivateTargets).safeParse(sent);
  if (!checked.success) return invalid(invalidRequest(checked.error.issues, 'body'));
  const definition = checked.data;
  const own = ownAddress(definition, config.publicUrl);
  if (own !== undefined) return invalid({ detail: `${own.field}: ${own.reason}`, errors: [own] });
  const findings = reviewService(definition, {
    allowsPrivateTargets: config.allowsPrivateTargets,
    pools: config.keyPools,
    // Consumers are given the secrets that wrangler.toml names, and no others.
    secrets: new Set(headerSecretNames(config.services)),
    bindings: undefined,
  });
  const { keyPool } = definition;
  const twice =
    keyPool === undefined ? [] : await sharedKeys(keyPool, config.consumers, config.keyShards[poolNameOf(keyPool)]);
  const refused = [...fieldsOf(findings, 'refused'), ...twice.map((reason) => ({ field: '/keyPool', reason }))];
  if (refused[0] !== undefined) {
    return invalid({ detail: `${refused[0].field}: ${refused[0].reason}`, errors: refused });
  }
  return { ok: true, definition, warnings: fieldsOf(findings, 'warning') };
}

/** Calls and messages that would come back to Tasklane. */
function ownAddress({ baseUrl, onComplete }: Definition, publicUrl: string | undefined): FieldError | undefined {
  const addresses = { '/baseUrl': baseUrl, '/onComplete/url': onComplete?.url };
  const own = Object.entries(addresses).find(([, url]) => url && isOwnAddress(url, publicUrl));
  return own && { field: own[0], reason: OWN_ADDRESS_PROBLEM };
}

function fieldsOf(findings: readonly ServiceFinding[], kind: ServiceFinding['kind']): FieldError[] {
  return findings
    .filter((finding) => finding.kind === kind)
    .map(({ path, message }) => ({ field: `/${path.join('/')}`, reason: message }));
}

function invalid(details: Refusal['details']): CheckedDefinition {
  return { ok: false, refusal: { code: 'invalid-request', details } };
}
