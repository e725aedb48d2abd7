/**
 * Signatures of messages to clients' receivers, as the specification "Standard Webhooks" 1.0 has them: the headers
 * `webhook-id`, `webhook-timestamp` and `webhook-signature`, of which the last is an HMAC-SHA-256 (`v1`) over the other two
 * and the body.
 *
 * Each owner of messages has a secret of its own, derived from the deployment's `WEBHOOK_SECRET`, so that no client can
 * sign in the name of Tasklane to another one's receiver. While a secret is rotated a message carries two signatures,
 * and a receiver accepts either.
 */
const PREFIX = 'whsec_';
const DERIVATION = 'tasklane webhooks of ';

const algorithm = { name: 'HMAC', hash: 'SHA-256' } as const;
/** Bytes of a text in a buffer of their own, as WebCrypto asks for. */
const bytesOf = (text: string) => new Uint8Array(new TextEncoder().encode(text));

/** The deployment's, the current one first: `WEBHOOK_SECRET`, and `WEBHOOK_SECRET_PREVIOUS` during a rotation. */
export type WebhookSecrets = readonly string[];

export interface WebhookMessage {
  /** The same at every attempt: a receiver knows a repeat by it. */
  readonly id: string;
  /** Of this attempt, Unix milliseconds: receivers refuse what is older than five minutes. */
  readonly at: number;
  /** As it is sent, to the byte. */
  readonly body: string;
}

/** The secrets that an owner's receiver verifies with (`whsec_…`), the current one first. */
export async function ownerSecrets(secrets: WebhookSecrets, owner: string): Promise<string[]> {
  const keys = await Promise.all(secrets.map((secret) => ownerKey(secret, owner)));
  return keys.map((key) => PREFIX + toBase64(key));
}

/** Headers for one attempt, signed with each of the owner's secrets. */
export async function signedHeaders(
  secrets: WebhookSecrets,
  owner: string,
  { id, at, body }: WebhookMessage,
): Promise<Record<string, string>> {
  const timestamp = String(Math.floor(at / 1000));
  const signed = bytesOf(`${id}.${timestamp}.${body}`);
  const signatures = await Promise.all(
    secrets.map(async (secret) => `v1,${toBase64(await hmac(await ownerKey(secret, owner), signed))}`),
  );
  return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signatures.join(' ') };
}

function ownerKey(secret: string, owner: string): Promise<Uint8Array<ArrayBuffer>> {
  return hmac(bytesOf(secret), bytesOf(DERIVATION + owner));
}

async function hmac(secret: Uint8Array<ArrayBuffer>, data: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const key = await crypto.subtle.importKey('raw', secret, algorithm, false, ['sign']);
  return new Uint8Array(await crypto.subtle.sign('HMAC', key, data));
}

function toBase64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes));
}
