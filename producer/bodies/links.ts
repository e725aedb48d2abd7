/** Links for clients: to upload a body, whole or in parts, and to download one. Signed with the secret of ids. */
import { isSignatureOf, type LinkClaims, signatureOf } from '../../shared/bodies/link.ts';
import { MAX_UPLOAD_BYTES } from '../../shared/task/stored-body.ts';
import { idKeyOf, type Runtime } from '../runtime.ts';
import type { UploadView } from '../schema/body.ts';

/** How long an upload may take. */
const UPLOAD_SECONDS = 86_400;

/** What a signed link says beside its name, in the order in which it is signed. */
export interface LinkTerms {
  readonly bytes?: number | undefined;
  readonly type?: string | undefined;
  readonly upload?: string | undefined;
  readonly part?: number | undefined;
}

export function claimsOf(
  action: LinkClaims['action'],
  key: string,
  expires: number,
  { bytes, type, upload, part }: LinkTerms = {},
): LinkClaims {
  const terms = Object.entries({ bytes, type, upload, part }).filter(([, value]) => value !== undefined);
  return { action, key, expires, more: terms.map(([name, value]) => `${name}=${value}`) };
}

export async function isLinkOf(runtime: Runtime, claims: LinkClaims, signature: string): Promise<boolean> {
  return isSignatureOf(await idKeyOf(runtime), claims, signature);
}

export async function downloadLink(runtime: Runtime, key: string, expires: number): Promise<string> {
  return link(runtime, 'get', key, expires, '');
}

/**
 * How a body of this size is uploaded: by one PUT, or in parts of the same size, because Cloudflare takes bodies of requests
 * up to 100 MB on most plans.
 */
export async function uploadOf(
  runtime: Runtime,
  bucket: R2Bucket,
  id: string,
  key: string,
  { bytes, contentType }: { readonly bytes: number; readonly contentType?: string | undefined },
  now: number,
): Promise<UploadView> {
  const expires = Math.floor(now / 1000) + UPLOAD_SECONDS;
  const shared = { id, bytes, expiresAt: new Date(expires * 1000).toISOString() };
  if (bytes <= MAX_UPLOAD_BYTES) {
    return { ...shared, url: await link(runtime, 'put', key, expires, '', { bytes, type: contentType }) };
  }
  const options = contentType === undefined ? {} : { httpMetadata: { contentType } };
  const { uploadId: upload } = await bucket.createMultipartUpload(key, options);
  const count = Math.ceil(bytes / MAX_UPLOAD_BYTES);
  const parts = Array.from({ length: count }, async (_, index) => {
    const part = index + 1;
    const size = part < count ? MAX_UPLOAD_BYTES : bytes - index * MAX_UPLOAD_BYTES;
    return {
      part,
      bytes: size,
      url: await link(runtime, 'part', key, expires, `/parts/${part}`, { bytes: size, upload, part }),
    };
  });
  const completeUrl = await link(runtime, 'complete', key, expires, '/complete', { bytes, upload });
  return { ...shared, parts: await Promise.all(parts), completeUrl };
}

async function link(
  runtime: Runtime,
  action: LinkClaims['action'],
  key: string,
  expires: number,
  below: string,
  terms: LinkTerms = {},
): Promise<string> {
  const signature = await signatureOf(await idKeyOf(runtime), claimsOf(action, key, expires, terms));
  const query = new URLSearchParams({ expires: String(expires), signature });
  const { bytes, type, upload } = terms;
  for (const [name, value] of Object.entries({ bytes, type, upload })) {
    if (value !== undefined) query.set(name, String(value));
  }
  return `${runtime.config.publicUrl ?? ''}/api/bodies/${key}${below}?${query}`;
}
