/** What a deploy does to one Worker. All of it is the same however often it is done. */
import { RELEASE_PREFIX, type ScriptSettings } from '../account/account.ts';
import type { CloudflareApi } from '../account/api.ts';
import { readUpload } from '../account/read-account.ts';
import type { SecretValues } from '../inputs/secret-values.ts';
import type { UploadMetadata } from '../upload/metadata.ts';
import { ensured } from './resources.ts';

/** The API's limit for one call. */
const MAX_SECRETS_AT_ONCE = 100;

export interface UploadForm {
  readonly metadata: UploadMetadata;
  readonly files: readonly { readonly name: string; readonly file: File }[];
}

/**
 * Code, bindings, secrets and Durable Object migrations in one call: the Worker is the old one or the new one, never
 * something between, and one version is made. Secrets that are not sent stay as the newest version has them.
 * Migrations are refused a second time, so after an error it is looked up how far it got.
 * @param formOf the form for a Worker whose last migration is this
 */
export async function uploadWorker(
  api: CloudflareApi,
  name: string,
  appliedTag: string | undefined,
  formOf: (appliedTag: string | undefined) => UploadForm,
): Promise<void> {
  let tag = appliedTag;
  await ensured(
    api,
    () => api.putOnce(`/workers/scripts/${name}?excludeScript=true&bindings_inherit=strict`, asFormData(formOf(tag))),
    async () => {
      const upload = await readUpload(api, name);
      tag = upload?.migrationTag;
      return upload?.isNewest === true && formOf(tag).metadata.annotations?.['workers/tag'] === tagOf(upload.release);
    },
  );
}

function tagOf(release: string | undefined): string | undefined {
  return release === undefined ? undefined : RELEASE_PREFIX + release;
}

function asFormData({ metadata, files }: UploadForm): FormData {
  const form = new FormData();
  form.set('metadata', new Blob([JSON.stringify(metadata)], { type: 'application/json' }));
  for (const { name, file } of files) form.set(name, file, name);
  return form;
}

/** By the call that `wrangler secret bulk` makes: values go in the body, and never into variables. */
export function putSecrets(api: CloudflareApi, worker: string, values: SecretValues, names: readonly string[]) {
  return patchSecrets(
    api,
    worker,
    names.map((name) => [name, { name, type: 'secret_text', text: values.get(name) }]),
  );
}

export function removeSecrets(api: CloudflareApi, worker: string, names: readonly string[]): Promise<void> {
  return patchSecrets(
    api,
    worker,
    names.map((name) => [name, null]),
  );
}

async function patchSecrets(api: CloudflareApi, worker: string, entries: readonly (readonly [string, unknown])[]) {
  for (let at = 0; at < entries.length; at += MAX_SECRETS_AT_ONCE) {
    const secrets = Object.fromEntries(entries.slice(at, at + MAX_SECRETS_AT_ONCE));
    await api.merge(`/workers/scripts/${worker}/secrets-bulk`, { secrets });
  }
}

/** Logs and what else is no part of a version. */
export async function setSettings(api: CloudflareApi, worker: string, settings: ScriptSettings): Promise<void> {
  await api.patch(`/workers/scripts/${worker}/script-settings`, settings);
}

export async function setCrons(api: CloudflareApi, worker: string, crons: readonly string[]): Promise<void> {
  await api.put(
    `/workers/scripts/${worker}/schedules`,
    crons.map((cron) => ({ cron })),
  );
}

export async function setAddress(
  api: CloudflareApi,
  worker: string,
  enabled: boolean,
  previews: boolean,
): Promise<void> {
  await api.postAgain(`/workers/scripts/${worker}/subdomain`, { enabled, previews_enabled: previews });
}

/** Refused when a domain leads elsewhere already: whoever wants to move it does so by hand. */
export async function setDomains(api: CloudflareApi, worker: string, domains: readonly string[]): Promise<void> {
  await api.put(`/workers/scripts/${worker}/domains/records`, {
    override_scope: true,
    override_existing_origin: false,
    override_existing_dns_record: false,
    origins: domains.map((hostname) => ({ hostname })),
  });
}

/** With its Durable Objects; by then no Worker of this deployment is bound to it. */
export async function deleteWorker(api: CloudflareApi, worker: string): Promise<void> {
  await api.delete(`/workers/scripts/${worker}?force=true`);
}
