/** Finding tasks: filters that stand in the address, page by page, newest first. */
import type { z } from 'zod';
import type { TaskListSchema } from '../../producer/schema/task.ts';
import { TASK_STATUSES } from '../../shared/task/status.ts';
import { useLive, useTools } from '../live.ts';
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
  const asked = new URLSearchParams([...query].filter(([name]) => name !== 'id'));
  asked.set('limit', PAGE_TASKS);
  const live = useLive<TaskList>(`/api/tasks?${asked}`, EVERY_MS);
  return (
    <>
      <Filters query={query} />
      <Fresh live={live}>{(data) => <TaskTable list={data} query={query} />}</Fresh>
    </>
  );
}

function Filters({ query }: { query: URLSearchParams }) {
  const { session } = useTools();
  const apply = (event: SubmitEvent) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
    const id = textIn(form, 'id');
    location.hash =
      id === undefined
        ? link('tasks', undefined, Object.fromEntries(FILTERS.map((name) => [name, textIn(form, name)])))
        : link('task', id);
  };
  return (
    <form class="filters" onSubmit={apply} key={query.toString()}>
      <Choice label="Status" name="status" query={query} options={TASK_STATUSES} />
      <TaskFilterFields query={query} />
      <Text label="Reference" name="ref" query={query} placeholder="order-77" />
      {session.role !== 'client' && <Text label="By" name="subject" query={query} />}
      <label>
        Id
        <input name="id" placeholder="tsk_…" />
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
        <p class="quiet">
          {nextCursor === null ? 'No task like this.' : 'None among the tasks looked at; older ones may match.'}
        </p>
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
                <th>What happens</th>
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
