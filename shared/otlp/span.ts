/** Spans as OTLP has them. Pure. */
import { type Attributes, encodeAttributes, nanoseconds, resourceOf, SCOPE } from './encode.ts';

/** `client`: a call that is made; `server`: one that is answered. */
const KINDS = { server: 2, client: 3 } as const;
const STATUS_ERROR = 2;

export interface Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentId: string | undefined;
  readonly state: string | undefined;
  readonly name: string;
  readonly kind: keyof typeof KINDS;
  /** Unix milliseconds. */
  readonly startedAt: number;
  readonly endedAt: number;
  readonly attributes: Attributes;
  /** Of a span that ended badly: why. */
  readonly error: string | undefined;
}

/** @param part which Worker tells */
export function encodeSpans(part: string, spans: readonly Span[]) {
  return { resourceSpans: [{ resource: resourceOf(part), scopeSpans: [{ scope: SCOPE, spans: spans.map(encode) }] }] };
}

function encode({ traceId, spanId, parentId, state, name, kind, startedAt, endedAt, attributes, error }: Span) {
  return {
    traceId,
    spanId,
    ...(parentId !== undefined && { parentSpanId: parentId }),
    ...(state !== undefined && { traceState: state }),
    name,
    kind: KINDS[kind],
    startTimeUnixNano: nanoseconds(startedAt),
    endTimeUnixNano: nanoseconds(endedAt),
    attributes: encodeAttributes(attributes),
    ...(error !== undefined && { status: { code: STATUS_ERROR, message: error } }),
  };
}
