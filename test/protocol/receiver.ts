/**
 * Somebody's receiver of messages about ends: verifies each with the standard's own library, as a client would, and may be away.
 */
import { env } from 'cloudflare:workers';
import { Webhook } from 'standardwebhooks';
import { ownerSecrets } from '../../shared/webhook/signature.ts';

export const RECEIVER_URL = 'https://hooks.test/tasks?team=blue';

export interface Received {
  /** `webhook-id`. */
  readonly id: string;
  /** Unix ms. */
  readonly at: number;
  readonly headers: Headers;
  readonly event: { readonly type: string; readonly timestamp: string; readonly data: Record<string, unknown> };
}

export class Receiver {
  /** Everything that came and was verified, repeats too. */
  readonly received: Received[] = [];
  /** Attempts, whatever became of them. */
  calls = 0;
  isDown = false;
  /** What it answers next; 204 when there is nothing. */
  readonly answers: Response[] = [];

  async fetch(request: Request): Promise<Response> {
    this.calls += 1;
    if (this.isDown) throw Object.assign(new Error('Network connection lost.'), { retryable: true });
    const body = await request.text();
    const [secret = ''] = await ownerSecrets([env.WEBHOOK_SECRET], 'alice');
    const event = new Webhook(secret).verify(body, Object.fromEntries(request.headers)) as Received['event'];
    const answer = this.answers.shift() ?? new Response(null, { status: 204 });
    if (answer.ok)
      this.received.push({
        id: request.headers.get('webhook-id') ?? '',
        at: Date.now(),
        headers: request.headers,
        event,
      });
    return answer;
  }

  /** What it was told, each message once however often it came. */
  get told(): { readonly type: string; readonly id: unknown }[] {
    const events = new Map(this.received.map(({ id, event }) => [id, event]));
    return [...events.values()].map(({ type, data }) => ({ type, id: data.id }));
  }
}
