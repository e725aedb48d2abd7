/** Finding tasks: filters that stand in the address, page by page, newest first. */
import { useEffect, useRef } from 'preact/hooks';
import type { z } from 'zod';
import { rightTo } from '../../producer/access.ts';
import type { TaskListSchema } from '../../producer/schema/task.ts';
import { TASK_STATUSES } from '../../shared/task/status.ts';
import { useLive, useTools } from '../live.ts';
import { call } from '../operation.ts';
import { Fresh, Status } from '../parts/panel.tsx';
import { Scroll } from '../parts/scroll.tsx';
import { Choice, TaskFilterFields, Text, textIn } from '../parts/task-filter.tsx';
import { Time } from '../parts/time.tsx';
import { link } from '../route.ts';
import { waitingFor } from '../words.ts';

type TaskList = z.infer<typeof TaskListSchema>;

const EVERY_MS = 5_000;
const PAGE_TASKS = '50';
const FILTERS = ['status', 'service', 'ref', 'label', 'errorClass', 'subject', 'group'] as const;

export function TasksPage({ query }: { query: URLSearchParams }) {
  const asked = [...query].filter(([name]) => name === 'cursor' || FILTERS.some((filter) => filter === name));
  const live = useLive<TaskList>(call('GET /api/tasks', {}, [...asked, ['limit', PAGE_TASKS]]), EVERY_MS);
  return (
    <>
      <Filters query={query} />
      <Fresh live={live}>{(data) => <TaskTable list={data} query={query} />}</Fresh>
    </>
  );
}

function Filters({ query }: { query: URLSearchParams }) {
  const { session } = useTools();
  const right = rightTo('GET /api/tasks', session);
  const id = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (query.get('find') === 'id') id.current?.focus();
  }, [query]);
  const apply = (event: SubmitEvent) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
    const wanted = textIn(form, 'id');
    location.hash =
      wanted === undefined
        ? link('tasks', undefined, Object.fromEntries(FILTERS.map((name) => [name, textIn(form, name)])))
        : link('task', wanted);
  };
  return (
    <form class="filters" onSubmit={apply} key={query.toString()}>
      <Choice label="Status" name="status" query={query} options={TASK_STATUSES} />
      <TaskFilterFields query={query} />
      <Text label="Reference" name="ref" query={query} placeholder="order-77" />
      {right.ok && right.scope === 'all' && <Text label="Submitted by" name="subject" query={query} />}
      <label>
        Id
        <input ref={id} name="id" placeholder="tsk_…" />
      </label>
      <button type="submit">Find</button>
      <a href={link('tasks')}>Clear</a>
    </form>
  );
}

function TaskTable({ list: { tasks, nextCursor }, query }: { list: TaskList; query: URLSearchParams }) {
  const older =
    nextCursor === null ? undefined : link('tasks', undefined, { ...Object.fromEntries(query), cursor: nextCursor });
  return (
    <>
      {tasks.length === 0 ? (
        <Nothing query={query} areAll={nextCursor === null} />
      ) : (
        <Scroll label="Tasks">
          <table>
            <thead>
              <tr>
                <th>Task</th>
                <th>Service</th>
                <th>Status</th>
                <th>Submitted</th>
                <th>By</th>
                <th>Why</th>
              </tr>
            </thead>
            <tbody>
              {tasks.map((task) => (
                <tr key={task.id}>
                  <td>
                    <a href={link('task', task.id)}>
                      <code>{task.id}</code>
                    </a>
                  </td>
                  <td>{task.service ?? <span class="quiet">not recorded yet</span>}</td>
                  <td>
                    <Status status={task.status} />
                  </td>
                  <td>
                    <Time at={task.createdAt} />
                  </td>
                  <td>{task.subject}</td>
                  <td>
                    {task.waitingFor !== undefined && `waits ${waitingFor(task.waitingFor.reason)}`}
                    {task.error !== undefined && task.status !== 'succeeded' && (
                      <span class="quiet"> {task.error.message}</span>
                    )}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </Scroll>
      )}
      <p class="row">
        {query.has('cursor') && (
          <a href={link('tasks', undefined, Object.fromEntries([...query].filter(([name]) => name !== 'cursor')))}>
            Newest
          </a>
        )}
        {older !== undefined && <a href={older}>Older</a>}
      </p>
    </>
  );
}

function Nothing({ query, areAll }: { query: URLSearchParams; areAll: boolean }) {
  if (!areAll) return <p class="quiet">None among the tasks that were looked at; older ones may match: see Older.</p>;
  if (query.has('cursor')) return <p class="quiet">No older task.</p>;
  if (FILTERS.some((name) => query.has(name)))
    return (
      <p class="quiet">
        No task is like this. <a href={link('tasks')}>Show all</a>; one that was submitted seconds ago may still be in
        its queue.
      </p>
    );
  return (
    <p class="quiet">
      There is no task yet. <code>POST /api/task</code> submits one: <a href="/docs">try it</a>.
    </p>
  );
}
