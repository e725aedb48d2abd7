import { describe, expect, it } from 'vitest';
import { newSpanId, readTraceParent, traceFields, traceParent } from '../../../shared/trace/context.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const SPAN = 'b7ad6b7169203331';

describe('a trace context', () => {
  it('is read as it is written', () => {
    const parent = { traceId: TRACE, parentId: SPAN, flags: '01' };
    expect(readTraceParent(`00-${TRACE}-${SPAN}-01`)).toEqual(parent);
    expect(traceParent(TRACE, SPAN)).toBe(`00-${TRACE}-${SPAN}-01`);
    expect(newSpanId()).toMatch(/^[0-9a-f]{16}$/);
  });

  it.each([
    undefined,
    '',
    `00-${TRACE}-${SPAN}`,
    `01-${TRACE}-${SPAN}-01`,
    `00-${'0'.repeat(32)}-${SPAN}-01`,
    `00-${TRACE}-${'0'.repeat(16)}-01`,
    `00-${TRACE.toUpperCase()}-${SPAN}-01`,
  ])('that is %s is none', (text) => {
    expect(readTraceParent(text)).toBeUndefined();
  });

  it('takes its state along, and no state without a parent, nor one that is too long', () => {
    const fields = (headers: Record<string, string>) => traceFields(new Headers(headers));
    const traceparent = `00-${TRACE}-${SPAN}-00`;
    expect(fields({ traceparent, tracestate: 'vendor=1,other=2' })).toEqual({
      traceparent,
      tracestate: 'vendor=1,other=2',
    });
    expect(fields({ tracestate: 'vendor=1' })).toEqual({});
    expect(fields({ traceparent, tracestate: `a=${'b'.repeat(512)}` })).toEqual({ traceparent });
  });
});
