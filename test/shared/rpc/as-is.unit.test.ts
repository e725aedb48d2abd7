import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import * as z from 'zod';
import { ClaimSchema, SettlementSchema } from '../../../shared/ledger/contract.ts';
import { TaskMessageSchema } from '../../../shared/message/task-message.ts';
import { safeParseAsIs } from '../../../shared/rpc/as-is.ts';

const ID = 'tsk_06gzhmza000c7atjtd8wxv0zpad2p9kg';
const POLICY = { maxAttempts: 8, baseSeconds: 2, capSeconds: 3600 };
const BODY = { type: 'application/json', encoding: 'json', text: '{"a":1}' };
const REQUEST = {
  method: 'POST',
  path: '/x',
  headers: { 'x-a': 'b' },
  body: BODY,
  hops: 1,
  timeoutSeconds: 2.5,
  fallback: ['other'],
  requirements: { affinityKey: 'a', tier: 1, capabilities: { gpu: true } },
  answers: [{ status: ['5xx', 404], body: { pointer: '/a', equals: null }, meaning: 'retry' }],
  flow: { name: 'a/b', concurrency: 1, rate: 2, periodSeconds: 1 },
};
const TASK = {
  id: ID,
  subject: 'alice',
  service: 'ocr',
  policy: POLICY,
  deadlineAt: 1,
  labels: { a: 'b' },
  request: REQUEST,
};
const HOOK = {
  url: 'https://a.example/x',
  on: ['succeeded'],
  format: 'standard',
  linkBase: 'https://b.example/',
  path: '/x',
};
const { id: _, request: __, ...CLAIMED } = TASK;
const STATE = {
  status: 'running',
  run: 1,
  deferrals: 0,
  attemptsOffset: 0,
  policy: POLICY,
  deadlineAt: 1,
  leaseUntil: 2,
};
const RECORD = { run: 1, attempt: 1, startedAt: 1, endedAt: 2, server: 'a', httpStatus: 200, outcome: 'succeeded' };

const SAMPLES: readonly (readonly [name: string, schema: z.ZodType, values: readonly unknown[]])[] = [
  [
    'messages',
    TaskMessageSchema,
    [
      { v: 1, kind: 'task', task: TASK },
      { v: 1, kind: 'task', task: { ...TASK, onComplete: HOOK, runAt: 4 } },
      { v: 1, kind: 'wake', id: ID, service: 'ocr', line: 'pool:a' },
      { v: 1, kind: 'cancel', id: ID, service: 'ocr' },
    ],
  ],
  [
    'claims',
    ClaimSchema,
    [
      {
        id: ID,
        leaseMs: 61_000,
        task: { ...CLAIMED, request: { method: 'POST', more: [1, { a: null }] }, body: '{}' },
      },
      { id: ID, leaseMs: 61_000, task: { ...CLAIMED, request: '{}' } },
      { id: `${ID}_w1`, leaseMs: 1 },
    ],
  ],
  [
    'settlements',
    SettlementSchema,
    [
      { id: ID, state: STATE, event: { type: 'succeed', at: 1, run: 1 }, result: BODY, record: RECORD },
      {
        id: ID,
        state: STATE,
        event: { type: 'defer', at: 1, run: 1, reason: 'no-key', delayMs: 5, park: { line: 'pool:a' } },
      },
      {
        id: ID,
        state: STATE,
        event: { type: 'fail', at: 1, run: 1, retryable: true, delayMs: 1.5 },
        error: { class: 'http', message: 'x' },
      },
    ],
  ],
  [
    'schemas of every kind',
    z.object({
      loose: z.looseObject({ a: z.string() }),
      strict: z.strictObject({ n: z.number().min(0).max(5).optional() }),
      byDefault: z.enum(['a', 'b']).default('a'),
      trimmed: z.string().trim(),
      coerced: z.coerce.number(),
      changed: z.number().transform((n) => n + 1),
      either: z.union([z.object({ a: z.number() }), z.object({ a: z.number(), b: z.number() })]),
      list: z.array(z.int()).max(3),
      refined: z.string().refine((text) => text !== 'x'),
      nothing: z.null(),
      url: z.url(),
    }),
    [
      {
        loose: { a: 'x', more: 1 },
        strict: { n: 5 },
        byDefault: 'b',
        trimmed: 'x',
        coerced: 1,
        changed: 1,
        either: { a: 1, b: 2 },
        list: [1, 2],
        refined: 'y',
        nothing: null,
        url: 'https://a.example',
      },
    ],
  ],
  [
    'a plain union',
    z.union([z.object({ a: z.number() }), z.object({ a: z.number(), b: z.number() })]),
    [{ a: 1, b: 2 }],
  ],
];

/** What a value may become on its way: members that are missing, of another kind, or that nobody knows. */
function altered(value: unknown): fc.Arbitrary<unknown> {
  const odd = fc.oneof(
    fc.anything({ maxDepth: 1 }),
    fc.constantFrom(
      undefined,
      null,
      '',
      -1,
      1.5,
      2 ** 53,
      Number.NaN,
      Number.POSITIVE_INFINITY,
      '5xx',
      'succeed',
      [],
      {},
    ),
  );
  if (typeof value !== 'object' || value === null) return fc.oneof(odd, fc.constant(value));
  const names = Object.keys(value);
  if (names.length === 0) return odd;
  const inOne = fc
    .constantFrom(...names)
    .chain((name) =>
      altered((value as Record<string, unknown>)[name]).map((member) =>
        Array.isArray(value) ? value.with(Number(name), member) : { ...value, [name]: member },
      ),
    );
  const more = fc.tuple(fc.constantFrom('zz', 'task', '__proto__', 'status'), odd).map(([name, member]) => {
    const copy = { ...value };
    Object.defineProperty(copy, name, { value: member, enumerable: true, configurable: true, writable: true });
    return copy;
  });
  const less = fc.constantFrom(...names).map((name) => {
    const { [name]: gone, ...rest } = value as Record<string, unknown>;
    return rest;
  });
  return fc.oneof({ weight: 6, arbitrary: inOne }, more, less, odd);
}

describe('a quick look before a schema', () => {
  it.each(SAMPLES)('takes of %s only what the schema would return unchanged', (_name, schema, values) => {
    const property = fc.property(fc.constantFrom(...values).chain(altered), (value) => {
      const quick = safeParseAsIs(schema, value);
      const slow = schema.safeParse(value);
      expect(quick.success).toBe(slow.success);
      if (quick.success) expect(quick.data).toStrictEqual(slow.data);
    });
    fc.assert(property, { numRuns: 1_500, seed: 20_261_127 });
  });

  it.each(SAMPLES.slice(0, 3))('needs no schema for usual %s', (_name, schema, values) => {
    for (const value of values) {
      if (/capabilities|answers|"request":"/.test(JSON.stringify(value))) continue;
      const spy = vi.spyOn(schema, 'safeParse');
      expect(safeParseAsIs(schema, value)).toEqual({ success: true, data: value });
      expect(spy).not.toHaveBeenCalled();
      spy.mockRestore();
    }
  });
});
