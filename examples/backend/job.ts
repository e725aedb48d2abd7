/**
 * Work that outlives its request: the backend answers 202 and reports to the address and with the
 * token that came with the call. A report that does not get through is sent again for a while; one
 * that is refused is not, because the task has moved on.
 */

const REPORT_ATTEMPTS = 6;
const REPORT_BASE_MS = 200;

export interface JobOrder {
  readonly callbackUrl: string;
  readonly callbackToken: string;
  readonly durationMs: number;
  /** How often it reports progress on the way. */
  readonly steps: number;
  /** What the job ends with. */
  readonly outcome: 'succeeded' | 'failed';
}

type Report =
  | { readonly status: 'running'; readonly progress: number }
  | { readonly status: 'succeeded'; readonly result: unknown }
  | { readonly status: 'failed'; readonly error: { readonly message: string }; readonly retryable: boolean };

/** @returns true when Tasklane accepted the success */
export async function runJob(order: JobOrder, signal: AbortSignal): Promise<boolean> {
  const startedAt = Date.now();
  const stepMs = order.durationMs / (order.steps + 1);
  for (let step = 1; step <= order.steps; step++) {
    await sleep(stepMs, signal);
    await report(order, { status: 'running', progress: Math.round((100 * step) / (order.steps + 1)) }, signal);
  }
  await sleep(stepMs, signal);
  if (order.outcome === 'failed') {
    await report(order, { status: 'failed', error: { message: 'the job failed' }, retryable: false }, signal);
    return false;
  }
  return report(order, { status: 'succeeded', result: { tookMs: Date.now() - startedAt } }, signal);
}

async function report(order: JobOrder, body: Report, signal: AbortSignal): Promise<boolean> {
  for (let attempt = 0; attempt < REPORT_ATTEMPTS; attempt++) {
    if (attempt > 0) await sleep(REPORT_BASE_MS * 2 ** attempt, signal);
    try {
      const response = await fetch(order.callbackUrl, {
        method: 'PUT',
        headers: { authorization: `Bearer ${order.callbackToken}`, 'content-type': 'application/json' },
        body: JSON.stringify(body),
        signal,
      });
      await response.arrayBuffer();
      if (response.status < 500) return response.ok;
    } catch (error) {
      if (signal.aborted) throw error;
    }
  }
  return false;
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const abort = () => {
      clearTimeout(timer);
      reject(signal.reason as Error);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', abort);
      resolve();
    }, ms);
    signal.addEventListener('abort', abort, { once: true });
  });
}
