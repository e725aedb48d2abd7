/**
 * A small store filled under load: what was accepted ends, the rest is refused with a time, and there is
 * room again when bodies have grown old.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { startStage, untilEnded } from './stage.ts';

export interface FullReport {
  readonly limitBytes: number;
  readonly accepted: number;
  readonly refused: Readonly<Record<string, number>>;
  readonly retryAfter: string | null;
  readonly problem: string;
  /** What `/healthz` said when it was full. */
  readonly warnings: readonly string[];
  readonly fullBytes: number;
  readonly notEnded: number;
  /** Polls of accepted tasks while it was full that were not answered with 200. */
  readonly failedPolls: number;
  readonly bytesAfter: number;
  readonly acceptedAfter: number;
}

const PAYLOAD = { text: 'x'.repeat(8_000) };

/** @param bodyLifeSeconds how old bodies grow */
export async function runFull(limitBytes: number, bodyLifeSeconds: number, timeoutMs: number): Promise<FullReport> {
  await using stage = await startStage({
    stores: 1,
    vars: {
      ACCEPT: 'queue',
      STORE_LIMIT_BYTES: String(limitBytes),
      BODY_RETENTION_DAYS: String(bodyLifeSeconds / 86_400),
    },
  });
  const task = { service: 'echo', payload: PAYLOAD };
  const until = Date.now() + timeoutMs;
  const ids: string[] = [];
  const refused: Record<string, number> = {};
  let answer = await stage.call<{ type?: string }>('POST', '/api/task', task);
  while (answer.status === 202 && Date.now() < until) {
    const { ids: more, refused: no } = await stage.submit(100, task);
    ids.push(...more);
    for (const [status, count] of no) refused[status] = (refused[status] ?? 0) + count;
    answer = await stage.call<{ type?: string }>('POST', '/api/task', task);
    if (answer.status === 202) ids.push((answer.body as { id: string }).id);
  }
  // Accepted is accepted: it ends although nothing more is taken.
  await untilEnded(stage, ids, timeoutMs);
  const { body: health } = await stage.call<{ warnings?: string[] }>('GET', '/healthz');
  const fullBytes = sizeOf(stage.databases());
  let failedPolls = 0;
  for (const id of ids.slice(-50)) if ((await stage.call('GET', `/api/task/${id}`)).status !== 200) failedPolls += 1;
  const ended = stage.ended();

  let acceptedAfter = 0;
  while (acceptedAfter === 0 && Date.now() < until) {
    await sleep(300);
    acceptedAfter = (await stage.submit(10, task)).ids.length;
  }
  return {
    limitBytes,
    accepted: ids.length,
    refused,
    retryAfter: answer.headers.get('retry-after'),
    problem: String(answer.body.type ?? answer.status),
    warnings: health.warnings ?? [],
    fullBytes,
    notEnded: ids.filter((id) => ended.get(id) !== 'succeeded').length,
    failedPolls,
    bytesAfter: sizeOf(stage.databases()),
    acceptedAfter,
  };
}

type Databases = ReturnType<Awaited<ReturnType<typeof startStage>>['databases']>;

/** As D1 counts: pages in use. */
function sizeOf([db]: Databases): number {
  const row = db
    ?.prepare(
      `SELECT (SELECT page_count FROM pragma_page_count) - (SELECT freelist_count FROM pragma_freelist_count) AS pages,
         (SELECT page_size FROM pragma_page_size) AS size`,
    )
    .get();
  return Number(row?.pages) * Number(row?.size);
}
