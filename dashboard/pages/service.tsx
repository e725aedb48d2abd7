/** One service: what limits it now, and what would make its backlog end sooner. */
import type { z } from 'zod';
import type { ServerListSchema } from '../../producer/schema/server.ts';
import type { DemandSchema, ServiceListSchema } from '../../producer/schema/service.ts';
import type { TaskStatsSchema } from '../../producer/schema/statistics.ts';
import { useLive, useTools } from '../live.ts';
import { Act } from '../parts/act.tsx';
import { FlowPanel } from '../parts/flow-chart.tsx';
import { LineTable, tasksIn } from '../parts/lines.tsx';
import { Figure, Fresh, Panel } from '../parts/panel.tsx';
import { Time } from '../parts/time.tsx';
import { link } from '../route.ts';
import { count, duration, percent, waitingFor } from '../words.ts';
import { ServerTable } from './servers.tsx';

type Demand = z.infer<typeof DemandSchema>;
type ServiceList = z.infer<typeof ServiceListSchema>;
type ServerList = z.infer<typeof ServerListSchema>;
type TaskStats = z.infer<typeof TaskStatsSchema>;

export function ServicePage({ name }: { name: string }) {
  const path = encodeURIComponent(name);
  const services = useLive<ServiceList>('/api/services');
  const demand = useLive<Demand>(`/api/services/${path}/demand`);
  const stats = useLive<TaskStats>('/api/stats/tasks?hours=24');
  const servers = useLive<ServerList>('/api/servers');
  return (
    <>
      <Fresh live={services}>
        {(data) => (
          <ServiceStatus
            service={data.services.find((each) => each.name === name)}
            name={name}
            onChanged={services.refresh}
          />
        )}
      </Fresh>
      <Fresh live={demand}>{(data) => <Load demand={data} />}</Fresh>
      <Fresh live={stats}>{(data) => <Waits stats={data} name={name} />}</Fresh>
      <FlowPanel service={name} />
      <Panel title="Servers" aside={<a href={link('servers')}>All servers</a>}>
        <Fresh live={servers}>
          {(data) => (
            <ServerTable
              servers={data.servers.filter(({ services: offered }) => offered.some((each) => each.name === name))}
              service={name}
              onChanged={servers.refresh}
            />
          )}
        </Fresh>
      </Panel>
    </>
  );
}

function ServiceStatus({
  service,
  name,
  onChanged,
}: {
  service: ServiceList['services'][number] | undefined;
  name: string;
  onChanged: () => void;
}) {
  const { api } = useTools();
  if (service === undefined) return <p class="notice bad">There is no service {name}.</p>;
  const path = `/api/services/${encodeURIComponent(name)}`;
  return (
    <p class="row">
      <strong>{name}</strong>
      <span class={`status ${service.paused ? 'paused' : 'healthy'}`}>{service.paused ? 'paused' : 'open'}</span>
      <span class="quiet">
        defined {service.source === 'file' ? 'in wrangler.toml' : 'at run time'}, calls{' '}
        {service.target === 'fixed'
          ? 'a fixed address'
          : `${service.servers.available} of ${service.servers.total} servers (${service.balancing})`}
      </span>
      {service.paused ? (
        <Act
          label="Resume"
          consequence={`Tasks of ${name} that wait start again, the oldest first.`}
          run={() => api.send('POST', `${path}/resume`)}
          onDone={onChanged}
        />
      ) : (
        <Act
          label="Pause"
          consequence={`No task of ${name} starts until it is resumed. Calls under way end; new tasks are accepted and wait.`}
          run={() => api.send('POST', `${path}/pause`)}
          onDone={onChanged}
        />
      )}
      <a href={link('tasks', undefined, { service: name })}>Its tasks</a>
    </p>
  );
}

function Load({ demand }: { demand: Demand }) {
  return (
    <div class="figures">
      <Figure
        label="Calls under way"
        value={count(demand.inFlight)}
        hint={demand.capacity > 0 ? `of ${count(demand.capacity)} at a time` : undefined}
      />
      <Figure label="Tasks that wait" value={count(demand.waiting)} />
      <Figure label="Arrivals" value={`${demand.arrivalsPerSecond.toFixed(1)} / s`} />
      <Figure
        label="A call takes"
        value={demand.meanLatencyMs === undefined ? '—' : duration(demand.meanLatencyMs)}
        hint="at the mean"
      />
      <Figure
        label="A new task starts"
        value={
          demand.estimatedWaitSeconds === undefined
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
            {tasksIn(waiting)} {waiting.tasks === 1 ? 'task waits' : 'tasks wait'} for capacity, the oldest since{' '}
            <Time at={waiting.oldestAt} />;{' '}
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
      {helps.map(({ text }) => (
        <p key={text} class="notice">
          {text}
        </p>
      ))}
      {counts !== undefined && (
        <ul>
          {Object.entries(counts.deferrals).map(([reason, times]) => (
            <li key={reason}>
              waited {waitingFor(reason)}: {count(times ?? 0)} times in 24 h
            </li>
          ))}
          <li>Success rate {counts.successRate === null ? '—' : percent(counts.successRate)} in 24 h.</li>
        </ul>
      )}
    </Panel>
  );
}
