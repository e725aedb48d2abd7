/**
 * Real tasks of every kind, submitted over HTTP, watched until each has ended. It uses nothing but
 * the public API, as any client would.
 */
import * as z from 'zod';
import { eventsBetween, hasEnded, type TaskEvent, type TaskView, TaskViewSchema } from './task-event.ts';

const POLL_MS = 100;
const GIVE_UP_MS = 60_000;

const DEMO_TASKS = [
  { service: 'quick', payload: { hello: 'world' } },
  { service: 'slow', payload: { page: 1 } },
  { service: 'flaky', payload: { document: 'a.pdf' } },
  { service: 'busy', payload: { document: 'b.pdf' } },
  { service: 'broken', payload: { document: null } },
  { service: 'async', payload: { video: 'c.mp4' } },
  { service: 'llm', payload: { model: 'example', messages: [{ role: 'user', content: 'Hello' }] } },
  { service: 'echo', payload: { text: 'the last one' } },
] as const;

const AcceptedSchema = z.object({ id: z.string() });

export interface DemoReport {
  readonly tasks: number;
  readonly byStatus: Readonly<Record<string, number>>;
  readonly attempts: number;
  readonly tookMs: number;
}

interface Watched {
  readonly service: string;
  readonly id: string;
  /** As of the last poll. */
  view: TaskView | undefined;
}

/**
 * @param onEvent is told what happens, as it happens
 * @param signal ends the watching; the tasks go on
 */
export async function runDemo(
  url: string,
  token: string,
  onEvent: (service: string, event: TaskEvent) => void,
  signal: AbortSignal,
): Promise<DemoReport> {
  const startedAt = Date.now();
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const ask = async (path: string, init: RequestInit = {}) => {
    const response = await fetch(url + path, { ...init, headers, signal });
    const body: unknown = await response.json();
    if (!response.ok)
      throw new Error(`${init.method ?? 'GET'} ${path} answered ${response.status}: ${JSON.stringify(body)}`);
    return body;
  };
  const submit = async ({ service, payload }: (typeof DEMO_TASKS)[number]): Promise<Watched> => {
    const init = { method: 'POST', body: JSON.stringify({ service, payload }) };
    return { service, id: AcceptedSchema.parse(await ask('/api/task', init)).id, view: undefined };
  };
  const poll = async (task: Watched) => {
    const view = TaskViewSchema.parse(await ask(`/api/task/${task.id}`));
    const events = eventsBetween(task.view, view).map((event) => ({ service: task.service, event }));
    task.view = view;
    return events;
  };
  const tasks = await Promise.all(DEMO_TASKS.map(submit));
  for (let open = tasks; open.length > 0 && Date.now() - startedAt < GIVE_UP_MS; open = tasks.filter(isOpen)) {
    const events = (await Promise.all(open.map(poll))).flat().sort((a, b) => a.event.at - b.event.at);
    for (const { service, event } of events) onEvent(service, event);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  const views = tasks.flatMap(({ view }) => view ?? []);
  return {
    tasks: views.length,
    byStatus: countBy(views.map(({ status }) => status)),
    attempts: views.reduce((sum, { attempt }) => sum + attempt, 0),
    tookMs: Date.now() - startedAt,
  };
}

function isOpen({ view }: Watched): boolean {
  return view === undefined || !hasEnded(view);
}

function countBy(words: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const word of words) counts[word] = (counts[word] ?? 0) + 1;
  return counts;
}
