/** One task: where it stands, its story, what it was asked and what it answered. */
import { Fragment } from 'preact';
import type { z } from 'zod';
import type { TaskSchema } from '../../producer/schema/task.ts';
import { isTerminal, RETRYABLE_STATUSES } from '../../shared/task/status.ts';
import { useLive } from '../live.ts';
import { type Call, call } from '../operation.ts';
import { Act } from '../parts/act.tsx';
import { Shown, Stored } from '../parts/body.tsx';
import { PageLink } from '../parts/page-link.tsx';
import { Fresh, Panel, Status } from '../parts/panel.tsx';
import { Time } from '../parts/time.tsx';
import { count, duration, ERROR_HELP, waitingFor } from '../words.ts';

type TaskDocument = z.infer<typeof TaskSchema>;
type Entry = TaskDocument['timeline'][number];
type Attempt = TaskDocument['attemptLog'][number];
type Progress = NonNullable<TaskDocument['progressLog']>[number];

const EVERY_MS = 2_000;

export function TaskPage({ id }: { id: string }) {
  const live = useLive<TaskDocument>(call('GET /api/task/:id', { id }), EVERY_MS);
  return <Fresh live={live}>{(task) => <TaskStory task={task} onChanged={live.refresh} />}</Fresh>;
}

function TaskStory({ task, onChanged }: { task: TaskDocument; onChanged: () => void }) {
  const { id } = task;
  return (
    <>
      <p class="row">
        <code>{task.id}</code> <Status status={task.status} />
        {!isTerminal(task.status) && (
          <Act
            label="Cancel"
            consequence="The task ends as cancelled and does not come back. A backend that works on it is told to stop."
            call={call('POST /api/task/:id/cancel', { id })}
            onDone={onChanged}
          />
        )}
        {RETRYABLE_STATUSES.includes(task.status) && (
          <Act
            label="Run again"
            consequence="The task gets fresh attempts and a new deadline, and runs as soon as there is room. Its backend gets the request once more."
            call={call('POST /api/task/:id/retry', { id })}
            onDone={onChanged}
          />
        )}
      </p>
      <Facts task={task} />
      {task.error !== undefined && (
        <p class="notice bad">
          {task.error.message} <span class="quiet">{isTerminal(task.status) && ERROR_HELP[task.error.class]}</span>
        </p>
      )}
      <Panel title="What happened">
        <ol class="story">
          {task.timeline.map((entry, at) => (
            <li key={`${entry.at} ${entry.event} ${at}`}>
              <span class="entry">
                <Time at={entry.at} /> <span>{sentenceOf(entry)}</span>
              </span>
            </li>
          ))}
        </ol>
      </Panel>
      <Request request={task.request} stored={call('GET /api/task/:id/payload', { id })} />
      <Result task={task} />
      {task.bodiesDeletedAt !== undefined && (
        <p class="quiet">
          Request, result and timeline were deleted <Time at={task.bodiesDeletedAt} />.
        </p>
      )}
    </>
  );
}

/** Whose it is and where it stands. */
function Facts({ task }: { task: TaskDocument }) {
  return (
    <dl>
      <dt>Service</dt>
      <dd>
        {task.service === null ? (
          '—'
        ) : (
          <PageLink page="service" name={task.service}>
            {task.service}
          </PageLink>
        )}
      </dd>
      <dt>Submitted</dt>
      <dd>
        <Time at={task.createdAt} /> by {task.subject}
      </dd>
      {task.ref !== undefined && (
        <>
          <dt>Reference</dt>
          <dd>{task.ref}</dd>
        </>
      )}
      {task.labels !== undefined && (
        <>
          <dt>Labels</dt>
          <dd class="row">
            {Object.entries(task.labels).map(([name, value]) => (
              <PageLink key={name} page="tasks" query={{ label: `${name}:${value}` }}>
                {`${name}:${value}`}
              </PageLink>
            ))}
          </dd>
        </>
      )}
      {task.group !== undefined && (
        <>
          <dt>Group</dt>
          <dd>
            <PageLink page="tasks" query={{ group: task.group, subject: task.subject }}>
              {task.group}
            </PageLink>
          </dd>
        </>
      )}
      {task.waitingFor !== undefined && (
        <>
          <dt>Waits</dt>
          <dd>
            {waitingFor(task.waitingFor.reason)}
            {task.waitingFor.until !== undefined && (
              <>
                , <Time at={task.waitingFor.until} />
              </>
            )}
            {task.waitingFor.ahead !== undefined && (
              <span class="quiet">
                {' '}
                ({task.waitingFor.ahead === 0 ? 'the next in line' : `${count(task.waitingFor.ahead)} before it`})
              </span>
            )}
          </dd>
        </>
      )}
      {task.deadlineAt !== undefined && !isTerminal(task.status) && (
        <>
          <dt>Deadline</dt>
          <dd>
            <Time at={task.deadlineAt} />
          </dd>
        </>
      )}
      <dt>Attempts</dt>
      <dd>
        {task.attempts} ({task.failures} failed), {task.deferrals} {task.deferrals === 1 ? 'wait' : 'waits'} for
        capacity
      </dd>
      {task.progress !== undefined && (
        <>
          <dt>Progress</dt>
          <dd>
            <progress max={100} value={task.progress} aria-label="Progress" /> {task.progress} % {task.progressMessage}
          </dd>
        </>
      )}
    </dl>
  );
}

function Request({ request, stored }: { request: TaskDocument['request']; stored: Call }) {
  if (request === undefined) return null;
  const { method, path: called, headers = {}, body, contentType, bodyBytes, bodyUrl, bodyRedacted } = request;
  return (
    <Panel title="Request" aside={<span class="quiet">{contentType}</span>}>
      <dl>
        <dt>Call</dt>
        <dd>
          {method === undefined && called === undefined ? (
            'with the method and the path of its service'
          ) : (
            <code>
              {method} {called}
            </code>
          )}
        </dd>
        {Object.entries(headers).map(([name, value]) => (
          <Fragment key={name}>
            <dt>{name}</dt>
            <dd>
              <code>{value}</code>
            </dd>
          </Fragment>
        ))}
      </dl>
      {bodyRedacted && <p class="quiet">Not shown: its service redacts bodies.</p>}
      {body !== undefined && <Shown value={body} />}
      {bodyUrl !== undefined && <Stored call={stored} size={bodyBytes ?? 0} type={contentType} />}
    </Panel>
  );
}

function Result({ task }: { task: TaskDocument }) {
  if (task.result === undefined && task.resultBytes === undefined && !task.resultRedacted) return null;
  return (
    <Panel title="Result" aside={<span class="quiet">{task.resultContentType}</span>}>
      {task.resultRedacted && <p class="quiet">Not shown: its service redacts bodies.</p>}
      {task.result !== undefined && <Shown value={task.result} />}
      {task.resultUrl !== undefined && (
        <Stored
          call={call('GET /api/task/:id/result', { id: task.id })}
          size={task.resultBytes ?? 0}
          type={task.resultContentType}
        />
      )}
    </Panel>
  );
}

function sentenceOf(entry: Entry): string {
  // Entries of attempts and of progress carry what their logs do.
  const { server: id, error, delaySeconds, delayReason, by, reason, message } = entry as Partial<Attempt & Progress>;
  const server = id === undefined ? '' : ` at ${id}`;
  const next =
    delayReason === 'in line'
      ? ' It joined the line.'
      : delaySeconds === undefined
        ? ''
        : ` The next attempt was set for ${duration(delaySeconds * 1000)} later.`;
  switch (entry.event) {
    case 'created':
      return 'It was accepted.';
    case 'started':
      return 'It was started for the first time.';
    case 'attempt-failed':
      return `An attempt${server} failed: ${error?.message ?? 'no reason was recorded'}${next}`;
    case 'attempt-succeeded':
      return `An attempt${server} succeeded.`;
    case 'attempt-accepted':
      return `The backend${server} took it on, to call back later.`;
    case 'retried':
      return `${by ?? 'Somebody'} wanted it run again.`;
    case 'deferred':
      return `It waited ${waitingFor(reason ?? 'for capacity')}${server}.`;
    case 'progress':
      return `The backend reported progress${message === undefined ? '' : `: ${message}`}.`;
    case 'succeeded':
      return 'It succeeded.';
    case 'failed':
      return 'It failed for good.';
    case 'cancelled':
      return 'It was cancelled.';
    case 'expired':
      return 'Its deadline passed.';
  }
}
