/** One service: what limits it now, and what would make its backlog end sooner. */
import type { z } from 'zod';
import type { KeyStatsSchema } from '../../producer/schema/key.ts';
import type { ServerListSchema } from '../../producer/schema/server.ts';
import type { DemandSchema, ServiceDetailSchema } from '../../producer/schema/service.ts';
import type { TaskStatsSchema } from '../../producer/schema/statistics.ts';
import { useLive } from '../live.ts';
import { call } from '../operation.ts';
import { Act } from '../parts/act.tsx';
import { AdviceText } from '../parts/advice.tsx';
import { FailuresPanel } from '../parts/failures.tsx';
import { FlowPanel } from '../parts/flow-chart.tsx';
import { LineTable, tasksIn } from '../parts/lines.tsx';
import { PageLink } from '../parts/page-link.tsx';
import { Figure, Fresh, Panel, Status } from '../parts/panel.tsx';
import { PauseFields, pauseIn } from '../parts/pause-fields.tsx';
import { Time } from '../parts/time.tsx';
import { count, counted, duration, percent, rate, underWay, waitingFor } from '../words.ts';
import { KeyTable, keysByState } from './keys.tsx';
import { ServerTable } from './servers.tsx';

type Demand = z.infer<typeof DemandSchema>;
type ServiceDetail = z.infer<typeof ServiceDetailSchema>;
type KeyStats = z.infer<typeof KeyStatsSchema>;
type ServerList = z.infer<typeof ServerListSchema>;
type TaskStats = z.infer<typeof TaskStatsSchema>;

const SOURCES: Readonly<Record<ServiceDetail['source'], string>> = {
  file: 'in wrangler.toml',
  api: 'at run time',
  servers: 'by its servers',
};

export function ServicePage({ name }: { name: string }) {
  const service = useLive<ServiceDetail>(call('GET /api/services/:name', { name }));
  const demand = useLive<Demand>(call('GET /api/services/:name/demand', { name }));
  const stats = useLive<TaskStats>(call('GET /api/stats/tasks', {}, { hours: '24' }));
  const pool = service.data?.definition?.keyPool;
  return (
    <>
      <Fresh live={service}>
        {(data) => <ServiceStatus service={data} waiting={demand.data?.waiting} onChanged={service.refresh} />}
      </Fresh>
      <Fresh live={demand}>{(data) => <Load demand={data} isPaused={service.data?.paused === true} />}</Fresh>
      <Fresh live={stats}>{(data) => <Waits stats={data} name={name} />}</Fresh>
      {typeof pool === 'string' && <PoolKeys pool={pool.replaceAll('-', '_')} />}
      {service.data?.target === 'servers' && <ServersOf name={name} />}
      <FailuresPanel service={name} />
      <FlowPanel service={name} />
    </>
  );
}

function PoolKeys({ pool }: { pool: string }) {
  const live = useLive<KeyStats>(call('GET /api/stats/keys', {}));
  return (
    <Panel title={`Keys of pool ${pool}`} aside={<PageLink page="keys">All keys</PageLink>}>
      <Fresh live={live}>
        {({ keys }) => {
          const own = keys.filter((key) => key.pool === pool);
          if (own.length === 0)
            return (
              <p class="notice bad">
                The pool has no key: its tasks wait until one is deployed. docs/keys.md says how.
              </p>
            );
          return (
            <>
              <p>{keysByState(own)}.</p>
              <KeyTable keys={own} onChanged={live.refresh} />
            </>
          );
        }}
      </Fresh>
    </Panel>
  );
}

function ServersOf({ name }: { name: string }) {
  const live = useLive<ServerList>(call('GET /api/servers', {}));
  return (
    <Panel title="Servers" aside={<PageLink page="servers">All servers</PageLink>}>
      <Fresh live={live}>
        {({ servers }) => (
          <ServerTable
            servers={servers.filter(({ services }) => services.some((each) => each.name === name))}
            service={name}
            onChanged={live.refresh}
          />
        )}
      </Fresh>
    </Panel>
  );
}

interface StatusProps {
  readonly service: ServiceDetail;
  /** Tasks of it that wait; undefined: not known yet. */
  readonly waiting: number | undefined;
  readonly onChanged: () => void;
}

function ServiceStatus({ service, waiting, onChanged }: StatusProps) {
  const { name, paused, pause, unreachable } = service;
  return (
    <>
      <p class="row">
        <Status status={paused ? 'paused' : 'healthy'} text={paused ? 'paused' : 'takes tasks'} />
        <span class="quiet">
          defined {SOURCES[service.source]}, calls{' '}
          {service.target === 'fixed'
            ? 'a fixed address'
            : `${service.servers.available} of ${service.servers.total} servers (${service.balancing})`}
        </span>
        {paused ? (
          <Act
            label="Resume"
            consequence={`${waiting === undefined ? 'Tasks' : counted(waiting, 'task')} of ${name} that ${waiting === 1 ? 'waits' : 'wait'} may start again, the oldest first.`}
            call={call('POST /api/services/:name/resume', { name })}
            onDone={onChanged}
          />
        ) : (
          <Act
            label="Pause"
            consequence={`From a few seconds on no task of ${name} starts, until it is resumed. ${underWay(service.inFlight)}; ${waiting === undefined ? 'tasks that wait' : `${counted(waiting, 'task')} that ${waiting === 1 ? 'waits' : 'wait'}`} and new ones go on waiting.`}
            call={call('POST /api/services/:name/pause', { name })}
            fields={<PauseFields />}
            body={pauseIn}
            onDone={onChanged}
          />
        )}
        <PageLink page="tasks" query={{ service: name }}>
          Its tasks
        </PageLink>
      </p>
      {paused && (
        <p class="notice">
          Paused{pause?.reason !== undefined && `: ${pause.reason}`}
          {pause?.until === undefined ? (
            '; it stays so until somebody resumes it.'
          ) : (
            <>
              , ends <Time at={pause.until} />.
            </>
          )}
        </p>
      )}
      {unreachable !== undefined && (
        <p class="notice bad">
          Nobody answers at its address since <Time at={unreachable.since} />: {unreachable.why}. Its tasks wait and
          lose no attempt; it is tried by itself. Look whether the backend runs, and whether its address is right.
        </p>
      )}
    </>
  );
}

function Load({ demand, isPaused }: { demand: Demand; isPaused: boolean }) {
  return (
    <div class="figures">
      <Figure
        label="Calls under way"
        value={count(demand.inFlight)}
        hint={demand.capacity > 0 ? `of ${count(demand.capacity)} at a time` : undefined}
      />
      <Figure
        label="Tasks that wait"
        value={count(demand.waiting)}
        hint={
          demand.waitingForPlace > 0 && demand.waiting > demand.waitingForPlace
            ? `${count(demand.waitingForPlace)} of them for a place at a server`
            : undefined
        }
      />
      <Figure label="Arrivals" value={rate(demand.arrivalsPerSecond)} hint="tasks" />
      <Figure
        label="A call takes"
        value={demand.meanLatencyMs === undefined ? '—' : duration(demand.meanLatencyMs)}
        hint={demand.meanLatencyMs === undefined ? 'not known yet' : 'on average'}
      />
      <Figure
        label="A new task starts"
        value={
          isPaused
            ? 'once resumed'
            : demand.estimatedWaitSeconds === undefined
              ? 'unknown'
              : demand.estimatedWaitSeconds === 0
                ? 'at once'
                : `in ${duration(demand.estimatedWaitSeconds * 1000)}`
        }
      />
      {demand.advisedServers + demand.available > 0 && (
        <Figure label="Servers that would do" value={count(demand.advisedServers)} hint={`${demand.available} there`} />
      )}
    </div>
  );
}

function Waits({ stats: { backlog, services, advice }, name }: { stats: TaskStats; name: string }) {
  const waiting = backlog.services.find(({ service }) => service === name);
  const lines = backlog.lines.filter(({ services: inIt }) => inIt.includes(name));
  const pools = new Set(lines.flatMap(({ pool }) => pool ?? []));
  const counts = services.find(({ service }) => service === name);
  const helps = advice.filter((each) => (each.kind === 'servers' ? each.service === name : pools.has(each.pool)));
  return (
    <Panel title="What limits it">
      {waiting === undefined ? (
        <p>No task of it waits for capacity.</p>
      ) : (
        <>
          <p>
            {tasksIn(waiting)} {waiting.tasks === 1 ? 'task waits' : 'tasks wait'} for capacity, the oldest was
            submitted <Time at={waiting.oldestAt} />;{' '}
            {waiting.emptyAt === undefined ? (
              'when the last one starts is not known yet.'
            ) : (
              <>
                the last one starts <Time at={waiting.emptyAt} /> at the present pace.
              </>
            )}
          </p>
          <ul>
            {Object.entries(waiting.reasons).map(([reason, tasks]) => (
              <li key={reason}>
                {count(tasks ?? 0)} {tasks === 1 ? 'waits' : 'wait'} {waitingFor(reason)}
              </li>
            ))}
          </ul>
          <LineTable lines={lines} own={waiting.lines} />
        </>
      )}
      {helps.map((each) => (
        <AdviceText key={each.text} advice={each} />
      ))}
      {counts !== undefined && (
        <ul>
          {Object.entries(counts.deferrals).map(([reason, times]) => (
            <li key={reason}>
              waited {waitingFor(reason)}: {count(times ?? 0)} times in 24 h
              {waitText(counts.waits[reason as keyof typeof counts.waits])}
            </li>
          ))}
          <li>Success rate {counts.successRate === null ? '—' : percent(counts.successRate)} in 24 h.</li>
        </ul>
      )}
    </Panel>
  );
}

function waitText(wait: TaskStats['total']['waits'][keyof TaskStats['total']['waits']]): string {
  return wait === undefined
    ? ''
    : `, half of them at most ${duration(wait.p50)}, all but 5 % at most ${duration(wait.p95)}`;
}
