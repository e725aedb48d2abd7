/**
 * A stream of server-sent events (WHATWG HTML, section 9.2) that says how something stands whenever that changes.
 * It ends by itself after a while: clients come again by themselves, with `Last-Event-ID`, and are told nothing twice.
 * Each stream waits on timers of its own request.
 */

export interface StreamStatus {
  /** Changes whenever the data do. */
  readonly version: string;
  /** JSON. */
  readonly data: string;
  /** Nothing will change any more. */
  readonly isLast: boolean;
}

export interface EventStreamOptions {
  readonly event: string;
  /** What the client has seen. */
  readonly lastSeen: string | undefined;
  /** Undefined when it cannot be read at the moment. */
  readonly look: () => Promise<StreamStatus | undefined>;
  readonly signal: AbortSignal;
  readonly maxMs?: number;
}

const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 2_000;

/** Proxies close what is silent for longer. */
const HEARTBEAT_MS = 15_000;

const MAX_MS = 300_000;

/** When a client whose stream ended comes again. */
const COME_AGAIN_MS = 1_000;

const encoder = new TextEncoder();

export function eventStream(options: EventStreamOptions): ReadableStream<Uint8Array> {
  const { event, look, signal, maxMs = MAX_MS } = options;
  let isGone = false;
  return new ReadableStream<Uint8Array>({
    async start(controller) {
      const send = (text: string) => controller.enqueue(encoder.encode(text));
      const until = Date.now() + maxMs;
      let seen = options.lastSeen;
      let pauseMs = FIRST_PAUSE_MS;
      let saidAt = Date.now();
      try {
        send(`retry: ${COME_AGAIN_MS}\n\n`);
        while (!isGone && !signal.aborted && Date.now() < until) {
          const change = await look();
          if (change !== undefined && change.version !== seen) {
            send(`id: ${change.version}\nevent: ${event}\ndata: ${change.data}\n\n`);
            seen = change.version;
            saidAt = Date.now();
            pauseMs = FIRST_PAUSE_MS;
          } else if (Date.now() - saidAt >= HEARTBEAT_MS) {
            send(': still here\n\n');
            saidAt = Date.now();
          }
          if (change?.isLast === true) {
            send(`id: ${change.version}\nevent: end\ndata: {}\n\n`);
            break;
          }
          await scheduler.wait(Math.min(pauseMs, Math.max(0, until - Date.now())));
          pauseMs = Math.min(pauseMs * 1.5, LONGEST_PAUSE_MS);
        }
        controller.close();
      } catch {
        // The client went away; nobody reads what is left.
      }
    },
    cancel() {
      isGone = true;
    },
  });
}
