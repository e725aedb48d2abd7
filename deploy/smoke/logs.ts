/** Whether the account keeps what the Workers write: the line of one task, asked for as the dashboard's Query Builder does. */
import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';
import type { CloudflareApi } from '../account/api.ts';
import { ApiError } from '../account/api-error.ts';

/** As `TelemetryQueryResponse` of the official client has it; a line is a text or, parsed, an object. */
const AnswerSchema = z.looseObject({
  events: z
    .looseObject({
      events: z
        .array(
          z.looseObject({ source: z.union([z.string(), z.record(z.string(), z.unknown())]), timestamp: z.number() }),
        )
        .default([]),
    })
    .optional(),
});

const LineSchema = z.looseObject({ event: z.string(), id: z.string(), outcome: z.string().optional() });

export interface LogTiming {
  /** Lines take a while from a Worker to the account. */
  readonly withinMs: number;
  readonly pollMs: number;
}

/**
 * "Run a query" (developers.cloudflare.com/api/resources/workers/subresources/observability). It is posted, and the
 * permission that the page names is the writing one; Cloudflare's own MCP server asks with `workers_observability:read`.
 */
const PATH = '/workers/observability/telemetry/query';

const AGO_MS = 10 * 60_000;

export async function logsSeen(
  api: CloudflareApi,
  task: string,
  { withinMs, pollMs }: LogTiming,
  signal: AbortSignal,
): Promise<{ readonly isGood: boolean; readonly seen: string }> {
  const startedAt = Date.now();
  for (;;) {
    let line: z.output<typeof LineSchema> | undefined;
    try {
      line = await findLine(api, task);
    } catch (error) {
      if (!(error instanceof ApiError && (error.status === 401 || error.status === 403))) throw error;
      // Everything but this is known to be well: a token needs no more for a deploy.
      return { isGood: true, seen: 'not looked at: the token lacks Workers Observability: Edit' };
    }
    const seconds = Math.round((Date.now() - startedAt) / 1000);
    if (line !== undefined) {
      return {
        isGood: true,
        seen: `the task's line was there after ${seconds} s: ${line.event}, ${line.outcome ?? ''}`,
      };
    }
    if (Date.now() - startedAt > withinMs) {
      return { isGood: false, seen: `no line of the task within ${seconds} s; is sampling below 1, or the log off?` };
    }
    await sleep(pollMs, undefined, { signal });
  }
}

async function findLine(api: CloudflareApi, task: string): Promise<z.output<typeof LineSchema> | undefined> {
  const now = Date.now();
  const answer = await api.postAgain(PATH, {
    queryId: 'tasklane-smoke',
    timeframe: { from: now - AGO_MS, to: now },
    view: 'events',
    limit: 10,
    parameters: {
      datasets: ['cloudflare-workers'],
      filterCombination: 'and',
      filters: [
        { key: 'event', operation: 'eq', type: 'string', value: 'task.attempted' },
        { key: 'id', operation: 'eq', type: 'string', value: task },
      ],
    },
  });
  const events = AnswerSchema.parse(answer).events?.events ?? [];
  const lines = events.map(({ source }) => LineSchema.safeParse(typeof source === 'string' ? asJson(source) : source));
  return lines.map(({ data }) => data).find((line) => line?.id === task);
}

function asJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
