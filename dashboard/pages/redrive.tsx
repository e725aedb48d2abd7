/** Many tasks at once: which, what would be done and what that takes, then doing it, and how far it is. */
import { useState } from 'preact/hooks';
import type { z } from 'zod';
import type { Operation } from '../../producer/access.ts';
import type { JobEstimateSchema, JobListSchema, JobSchema } from '../../producer/schema/job.ts';
import { useLive, useTools } from '../live.ts';
import { call } from '../operation.ts';
import { Act } from '../parts/act.tsx';
import { InWords } from '../parts/in-words.tsx';
import { Meter } from '../parts/meter.tsx';
import { Figure, Fresh, Panel, Status } from '../parts/panel.tsx';
import { Scroll } from '../parts/scroll.tsx';
import { TaskFilterFields, textIn } from '../parts/task-filter.tsx';
import { Time } from '../parts/time.tsx';
import { count, counted, duration, money } from '../words.ts';

type Estimate = z.infer<typeof JobEstimateSchema>;
type JobList = z.infer<typeof JobListSchema>;
type Job = z.infer<typeof JobSchema>;
type JobAct = Job['act'];

const ACTS: readonly JobAct[] = ['redrive', 'cancel', 'purge'];

const OPERATIONS = {
  redrive: 'POST /api/tasks/redrive',
  cancel: 'POST /api/tasks/cancel',
  purge: 'POST /api/tasks/purge',
} as const satisfies Readonly<Record<JobAct, Operation>>;

const DID: Readonly<Record<JobAct, string>> = { redrive: 'run again', cancel: 'cancel', purge: 'delete' };

const LABELS: Readonly<Record<JobAct, string>> = {
  redrive: 'Run failed and expired tasks again',
  cancel: 'Cancel tasks that have not ended',
  purge: 'Delete tasks that have ended',
};

interface Asked {
  readonly act: JobAct;
  readonly body: { readonly filter: Readonly<Record<string, unknown>>; readonly perSecond?: number };
}

export function RedrivePage({ query }: { query: URLSearchParams }) {
  const { api, may } = useTools();
  const jobs = useLive<JobList>(call('GET /api/jobs', {}));
  const [found, setFound] = useState<{ readonly asked: Asked; readonly estimate: Estimate }>();
  const [error, setError] = useState<string>();
  const look = async (asked: Asked) => {
    setError(undefined);
    setFound(undefined);
    try {
      const body = { ...asked.body, dryRun: true };
      setFound({ asked, estimate: await api.send<Estimate>(call(OPERATIONS[asked.act], {}), body) });
    } catch (failure) {
      setError(failure instanceof Error ? failure.message : String(failure));
    }
  };
  return (
    <>
      {may('POST /api/tasks/redrive') && (
        <Panel title="Which tasks">
          <Filter query={query} onChanged={() => setFound(undefined)} onAsked={(asked) => void look(asked)} />
          {error !== undefined && (
            <p class="notice bad" role="alert">
              {error}
            </p>
          )}
          {found !== undefined && (
            <Found
              {...found}
              onDone={() => {
                setFound(undefined);
                jobs.refresh();
              }}
            />
          )}
        </Panel>
      )}
      <Panel title="Jobs">
        <Fresh live={jobs}>{(list) => <JobTable list={list} onChanged={jobs.refresh} />}</Fresh>
      </Panel>
    </>
  );
}

interface FilterProps {
  readonly query: URLSearchParams;
  /** What was found is of another filter then. */
  readonly onChanged: () => void;
  readonly onAsked: (asked: Asked) => void;
}

function Filter({ query, onChanged, onAsked }: FilterProps) {
  const ask = (event: SubmitEvent) => {
    event.preventDefault();
    onAsked(askedIn(new FormData(event.currentTarget as HTMLFormElement)));
  };
  return (
    <form class="filters" onSubmit={ask} onInput={onChanged}>
      <label>
        What to do
        <select name="act">
          {ACTS.map((act) => (
            <option key={act} value={act} selected={query.get('act') === act}>
              {LABELS[act]}
            </option>
          ))}
        </select>
      </label>
      <TaskFilterFields query={query} />
      <label>
        Submitted after
        <input name="after" type="datetime-local" />
      </label>
      <label>
        Submitted before
        <input name="before" type="datetime-local" />
      </label>
      <label>
        Tasks a second
        <input name="perSecond" type="number" min="0.1" step="any" placeholder="half of its limit" />
      </label>
      <button type="submit">Look what that would do</button>
    </form>
  );
}

/** Times are those of whoever looks; a filter without a word is what the API refuses. */
function askedIn(form: FormData): Asked {
  const text = (name: string) => textIn(form, name);
  const time = (name: string) => {
    const local = text(name);
    return local === undefined ? undefined : new Date(local).toISOString();
  };
  const act = ACTS.find((known) => known === form.get('act')) ?? 'redrive';
  const perSecond = text('perSecond');
  const label = text('label');
  const filter = {
    service: text('service'),
    errorClass: text('errorClass'),
    label: label === undefined ? undefined : [label],
    group: text('group'),
    after: time('after'),
    before: time('before'),
  };
  return {
    act,
    body: { filter, ...(act === 'redrive' && perSecond !== undefined && { perSecond: Number(perSecond) }) },
  };
}

function Found({ asked, estimate, onDone }: { asked: Asked; estimate: Estimate; onDone: () => void }) {
  const { act, count: tasks, isCounted, seconds, dollars, services } = estimate;
  const many = `${isCounted ? '' : 'more than '}${count(tasks)} ${tasks === 1 ? 'task' : 'tasks'}`;
  const takes = duration(seconds * 1000);
  const consequences: Readonly<Record<JobAct, string>> = {
    redrive: `${many} run again from the start, within about ${takes}, for about ${money(dollars)}. Backends get them once more.`,
    cancel: `${many} end as cancelled, within about ${takes}. Cancelled tasks do not come back.`,
    purge: `${many} are deleted with their results, within about ${takes}. What is deleted does not come back.`,
  };
  return (
    <>
      <div class="figures" role="status">
        <Figure label="Tasks" value={count(tasks)} hint={isCounted ? undefined : 'and more'} />
        <Figure label="Takes" value={tasks === 0 ? '—' : takes} />
        <Figure label="Costs about" value={money(dollars)} />
      </div>
      {services.length > 0 && (
        <ul>
          {services.map(({ service, count: own, perSecond, isAssumed }) => (
            <li key={service}>
              {service}: {count(own)} {own === 1 ? 'task' : 'tasks'}
              {perSecond !== undefined && `, ${perSecond} a second`}
              {isAssumed && ' (assumed: nothing is known of its limits; say another pace above)'}
            </li>
          ))}
        </ul>
      )}
      {tasks === 0 ? (
        <p>No task is like this. {LABELS[act]}: that is what is looked for; leave a field empty to find more.</p>
      ) : (
        <Act
          label={`${LABELS[act].split(' ')[0]} ${many}`}
          consequence={consequences[act]}
          call={call(OPERATIONS[act], {})}
          body={asked.body}
          onDone={onDone}
        />
      )}
    </>
  );
}

function JobTable({ list: { jobs }, onChanged }: { list: JobList; onChanged: () => void }) {
  const { may } = useTools();
  if (jobs.length === 0)
    return <p class="quiet">There is no job: nobody has run, cancelled or deleted many tasks at once.</p>;
  return (
    <Scroll label="Jobs">
      <table>
        <thead>
          <tr>
            <th>Asked</th>
            <th>By</th>
            <th>What</th>
            <th>Which</th>
            <th>Status</th>
            <th>Done</th>
            {may('POST /api/jobs/:id/abort') && <th>Actions</th>}
          </tr>
        </thead>
        <tbody>
          {jobs.map((job) => (
            <Row key={job.id} job={job} onChanged={onChanged} />
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}

function Row({ job, onChanged }: { job: Job; onChanged: () => void }) {
  const { may } = useTools();
  const { id, act, status, subject, filter, count: tasks, isCounted, done, skipped, createdAt } = job;
  const total = isCounted ? tasks : Math.max(tasks, done + skipped);
  return (
    <tr>
      <td>
        <Time at={createdAt} />
      </td>
      <td>{subject}</td>
      <td>{DID[act]}</td>
      <td>
        <InWords value={filter} />
      </td>
      <td>
        <Status status={status} />
      </td>
      <td>
        <Meter
          label={`Progress of ${id}`}
          share={total === 0 ? 1 : (done + skipped) / total}
          text={`${count(done)} of ${isCounted ? '' : 'more than '}${count(tasks)}${skipped > 0 ? `, ${count(skipped)} skipped` : ''}`}
        />
      </td>
      {may('POST /api/jobs/:id/abort') && (
        <td>
          {status === 'running' && (
            <Act
              label="Stop"
              consequence={`The job stops. ${counted(done, 'task')} ${done === 1 ? 'is' : 'are'} done and ${done === 1 ? 'stays' : 'stay'} so; the rest is left as it is.`}
              call={call('POST /api/jobs/:id/abort', { id })}
              onDone={onChanged}
            />
          )}
        </td>
      )}
    </tr>
  );
}
