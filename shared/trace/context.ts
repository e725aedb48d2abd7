/**
 * W3C trace context (www.w3.org/TR/trace-context): what a request says of the trace that it belongs to. Pure, but for
 * `newSpanId`. A context that cannot be read is none; what follows from it is a trace of its own.
 */

export interface TraceContext {
  readonly traceId: string;
  /** The span that the request was made in. */
  readonly parentId: string;
  readonly flags: string;
}

/** What a tracer must carry at least (section 3.3.1.5). */
const MAX_STATE_CHARACTERS = 512;

const TRACE_PARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;
const SAMPLED = '01';

export function readTraceParent(text: string | null | undefined): TraceContext | undefined {
  if (text === null || text === undefined) return undefined;
  const [, traceId = '', parentId = '', flags = ''] = TRACE_PARENT.exec(text) ?? [];
  return /[1-9a-f]/.test(traceId) && /[1-9a-f]/.test(parentId) ? { traceId, parentId, flags } : undefined;
}

/** What its beginner did not sample nobody else tells of. The last bit of the flags (section 3.2.2.5.1). */
export function isSampled(parent: TraceContext | undefined): boolean {
  return parent === undefined || (Number.parseInt(parent.flags, 16) & 1) === 1;
}

/** @param flags of whoever began the trace: what is not sampled there is not here */
export function traceParent(traceId: string, spanId: string, flags = SAMPLED): string {
  return `00-${traceId}-${spanId}-${flags}`;
}

/** The fields of a task's request: absent when its submission is in no trace. */
export function traceFields(headers: Headers | ReadonlyMap<string, string>): {
  readonly traceparent?: string;
  readonly tracestate?: string;
} {
  const traceparent = headers.get('traceparent') ?? undefined;
  if (traceparent === undefined || readTraceParent(traceparent) === undefined) return {};
  const tracestate = headers.get('tracestate') ?? undefined;
  const isKept =
    tracestate !== undefined && tracestate.length <= MAX_STATE_CHARACTERS && /^[\x20-\x7e]+$/.test(tracestate);
  return { traceparent, ...(isKept && { tracestate }) };
}

/** 16 random digits; a UUID is the cheapest source of them. */
export function newSpanId(): string {
  const uuid = crypto.randomUUID();
  return uuid.slice(0, 4) + uuid.slice(24);
}
