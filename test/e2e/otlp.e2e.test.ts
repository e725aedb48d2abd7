/** Traces and metrics as a collector gets them, and as a backend sees them, from a real local run. */
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { signToken } from '../../shared/auth/token.ts';
import { SECRETS, startPipeline } from './pipeline.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const PARENT = 'b7ad6b7169203331';
const STATE = 'vendor=of-the-client';

interface OtlpSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly traceState?: string;
  readonly name: string;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: { readonly key: string; readonly value: Record<string, unknown> }[];
  readonly status?: object;
}

const spans: OtlpSpan[] = [];
const metrics: { readonly name: string }[] = [];
const authorizations = new Set<string | undefined>();
const seen: IncomingMessage['headers'][] = [];
let answers = [500, 200];

/** The collector and the backend. */
const server = createServer(async (request, response) => {
  let body = '';
  for await (const chunk of request) body += chunk;
  if (request.url?.startsWith('/v1/')) {
    authorizations.add(request.headers.authorization);
    const told = JSON.parse(body);
    for (const { scopeSpans } of told.resourceSpans ?? []) spans.push(...scopeSpans[0].spans);
    for (const { scopeMetrics } of told.resourceMetrics ?? []) metrics.push(...scopeMetrics[0].metrics);
    return response.end('{}');
  }
  seen.push(request.headers);
  if (request.url === '/later') {
    response.writeHead(202).end();
    const { 'task-callback-url': url, 'task-callback-token': token, traceparent } = request.headers;
    await fetch(String(url), {
      method: 'PUT',
      headers: {
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
        traceparent: String(traceparent),
      },
      body: '{ "status": "succeeded" }',
    });
    return;
  }
  response.writeHead(answers.shift() ?? 200, { 'content-type': 'application/json' }).end('{}');
});

let pipeline: Awaited<ReturnType<typeof startPipeline>>;

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  pipeline = await startPipeline({
    vars: { OTLP_ENDPOINT: url, OTLP_HEADERS: 'authorization=Bearer%20of-the-collector' },
    services: { traced: { baseUrl: url, retry: { baseSeconds: 0.1 } }, later: { baseUrl: url, path: '/later' } },
  });
});
afterAll(async () => {
  await pipeline[Symbol.asyncDispose]();
  server.closeAllConnections();
  server.close();
});

async function run(service: string, headers: Record<string, string>): Promise<string> {
  const token = await signToken({ sub: 'alice', role: 'client' }, SECRETS.JWT_SECRET, 3600);
  const authorization = `Bearer ${token}`;
  const submitted = await fetch(`${pipeline.run.url}/api/task`, {
    method: 'POST',
    headers: { authorization, 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ service }),
  });
  const { id } = (await submitted.json()) as { id: string };
  const ended = await fetch(`${pipeline.run.url}/api/task/${id}?wait=20`, { headers: { authorization } });
  expect(await ended.json()).toMatchObject({ status: 'succeeded' });
  return id;
}

const attributeOf = (span: OtlpSpan, key: string) =>
  Object.values(span.attributes.find((attribute) => attribute.key === key)?.value ?? {})[0];

describe('traces', () => {
  it('have one span an attempt, below the submitter’s, which the backend’s spans are below of', async () => {
    const id = await run('traced', { traceparent: `00-${TRACE}-${PARENT}-01`, tracestate: STATE });
    await expect.poll(() => spans.length).toBe(2);
    for (const span of spans) {
      expect(span).toMatchObject({ traceId: TRACE, parentSpanId: PARENT, traceState: STATE, name: 'attempt traced' });
      expect(attributeOf(span, 'tasklane.task.id')).toBe(id);
      expect(BigInt(span.endTimeUnixNano) >= BigInt(span.startTimeUnixNano)).toBe(true);
    }
    expect(spans.map((span) => [attributeOf(span, 'http.response.status_code'), span.status !== undefined])).toEqual([
      ['500', true],
      ['200', false],
    ]);
    expect(seen.map(({ traceparent, tracestate }) => [traceparent, tracestate])).toEqual(
      spans.map(({ spanId }) => [`00-${TRACE}-${spanId}-01`, STATE]),
    );
    expect(new Set(authorizations)).toEqual(new Set(['Bearer of-the-collector']));
  });

  it('go on in the callback', async () => {
    spans.length = 0;
    await run('later', { traceparent: `00-${TRACE}-${PARENT}-01` });
    await expect.poll(() => spans.length).toBe(2);
    const attempt = spans.find(({ name }) => name === 'attempt later');
    const callback = spans.find(({ name }) => name === 'callback');
    expect(callback).toMatchObject({ traceId: TRACE, parentSpanId: attempt?.spanId });
  });

  it('have one span a synchronous call, below what its client was doing', async () => {
    spans.length = 0;
    seen.length = 0;
    answers = [200];
    const token = await signToken({ sub: 'alice', role: 'client' }, SECRETS.JWT_SECRET, 3600);
    const answer = await fetch(`${pipeline.run.url}/api/service/traced/now`, {
      headers: { authorization: `Bearer ${token}`, traceparent: `00-${TRACE}-${PARENT}-01`, tracestate: STATE },
    });
    expect(answer.status).toBe(200);
    await answer.text();
    await expect.poll(() => spans.length).toBe(1);
    const [span] = spans as [OtlpSpan];
    expect(span).toMatchObject({ traceId: TRACE, parentSpanId: PARENT, traceState: STATE, name: 'call traced' });
    expect(attributeOf(span, 'http.response.status_code')).toBe('200');
    expect(seen[0]?.traceparent).toBe(`00-${TRACE}-${span.spanId}-01`);
  });

  it('are not told of what their beginner did not sample, which goes on unsampled', async () => {
    spans.length = 0;
    seen.length = 0;
    answers = [200];
    await run('traced', { traceparent: `00-${TRACE}-${PARENT}-00` });
    const id = await run('traced', {});
    await expect.poll(() => spans.length).toBe(1);
    expect(attributeOf(spans[0] as OtlpSpan, 'tasklane.task.id')).toBe(id);
    expect(seen[0]?.traceparent).toMatch(/-00$/);
  });
});

describe('metrics', () => {
  it('are pushed each round of the cron', async () => {
    // Counts are written ten seconds late where tasks are few, and rounds come every ten.
    await expect
      .poll(() => metrics.map(({ name }) => name), { timeout: 40_000 })
      .toContain('tasklane_tasks_ended_total');
    expect(metrics.map(({ name }) => name)).toContain('tasklane_store_used_ratio');
  });
});
