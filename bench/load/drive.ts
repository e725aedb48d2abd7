/** The load itself: many requests over a few connections, or one task at a time. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Answer, Connection, requestBytes } from './connection.ts';
import type { Drive, Driven, Lone, TimeCalls } from './job.ts';

export async function drive({ address, connections, count, requests, keepBodies }: Drive): Promise<Driven> {
  const wire = requests.map((request) => requestBytes(address, request));
  const open = await Promise.all(Array.from({ length: Math.min(connections, count) }, () => Connection.open(address)));
  const statuses: Record<number, number> = {};
  const bodies: string[] = [];
  let next = 0;
  const startedAt = performance.now();
  await Promise.all(
    open.map(async (connection) => {
      while (next < count) {
        const bytes = wire[next++ % wire.length] as Buffer;
        const answer = await connection.send(bytes);
        statuses[answer.status] = (statuses[answer.status] ?? 0) + 1;
        if (keepBodies) bodies.push(answer.body);
      }
    }),
  );
  const seconds = (performance.now() - startedAt) / 1000;
  for (const connection of open) connection.close();
  return { seconds, statuses, bodies };
}

const LONE_TIMEOUT_MS = 20_000;

export async function lone({ address, count, submit, statusPath }: Lone): Promise<number[]> {
  const connection = await Connection.open(address);
  const submitBytes = requestBytes(address, submit);
  const milliseconds: number[] = [];
  for (let task = 0; task < count; task++) {
    const startedAt = performance.now();
    const { id } = parse(await connection.send(submitBytes));
    if (id === undefined) throw new Error('a lone task was not accepted');
    const poll = requestBytes(address, { method: 'GET', path: statusPath + id, headers: submit.headers ?? {} });
    while (parse(await connection.send(poll)).status !== 'succeeded') {
      if (performance.now() - startedAt > LONE_TIMEOUT_MS) throw new Error(`task ${id} did not succeed in time`);
    }
    milliseconds.push(performance.now() - startedAt);
    // Lets the settle and the ack of this task end before the next begins.
    await sleep(10);
  }
  connection.close();
  return milliseconds;
}

export async function timeCalls({ address, count, request }: TimeCalls): Promise<number[]> {
  const connection = await Connection.open(address);
  const bytes = requestBytes(address, request);
  const milliseconds: number[] = [];
  for (let call = 0; call < count; call++) {
    const startedAt = performance.now();
    const { status } = await connection.send(bytes);
    milliseconds.push(performance.now() - startedAt);
    if (status !== 200) throw new Error(`${request.path} answered ${status}`);
  }
  connection.close();
  return milliseconds;
}

function parse(answer: Answer): { id?: string; status?: string } {
  return JSON.parse(answer.body) as { id?: string; status?: string };
}
