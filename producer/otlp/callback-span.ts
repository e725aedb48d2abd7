/** The span of a backend's callback: in the trace of its task, below whatever the backend was doing. */
import type { Context } from 'hono';
import { pushOtlp } from '../../shared/otlp/send.ts';
import { encodeSpans } from '../../shared/otlp/span.ts';
import { traceIdOf } from '../../shared/task/id.ts';
import { newSpanId, readTraceParent } from '../../shared/trace/context.ts';
import { beside } from '../answer/beside.ts';
import type { AppEnv } from '../app.ts';

/** @param said what the report says: that it succeeded, failed, or goes on */
export function tellCallback(c: Context<AppEnv>, id: string, said: string, startedAt: number): void {
  const { otlp } = c.env.runtime.config;
  if (otlp === undefined) return;
  const { headers } = c.req.raw;
  const parent = readTraceParent(headers.get('traceparent'));
  const span = {
    traceId: parent?.traceId ?? traceIdOf(id),
    spanId: newSpanId(),
    parentId: parent?.parentId,
    state: headers.get('tracestate') ?? undefined,
    name: 'callback',
    kind: 'server' as const,
    startedAt,
    endedAt: Date.now(),
    attributes: { 'tasklane.task.id': id, 'tasklane.report': said },
    error: undefined,
  };
  beside(c, pushOtlp(otlp, 'traces', encodeSpans('producer', [span])));
}
