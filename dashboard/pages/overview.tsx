/** Whether work flows, what waits, what fails, and what needs a person. */
import type { z } from 'zod';
import type { TaskStatsSchema } from '../../producer/schema/statistics.ts';
import { useLive } from '../live.ts';
import { call } from '../operation.ts';
import { AdviceText } from '../parts/advice.tsx';
import { FailuresPanel } from '../parts/failures.tsx';
import { FlowPanel } from '../parts/flow-chart.tsx';
import { LineTable, tasksIn } from '../parts/lines.tsx';
import { PageLink } from '../parts/page-link.tsx';
import { Figure, Fresh, Panel } from '../parts/panel.tsx';
import { Scroll } from '../parts/scroll.tsx';
import { Time } from '../parts/time.tsx';
import { count, duration, percent, waitingFor } from '../words.ts';
import { FiringAlerts } from './alerts.tsx';

type TaskStats = z.infer<typeof TaskStatsSchema>;

const STATISTICS_EVERY_MS = 5_000;

export function OverviewPage() {
  const stats = useLive<TaskStats>(call('GET /api/stats/tasks', {}, { hours: '24' }), STATISTICS_EVERY_MS);
  return (
    <>
      <Fresh live={stats}>{(data) => <Summary stats={data} />}</Fresh>
      <FiringAlerts />
      <FlowPanel />
      <Fresh live={stats}>
        {(data) => (
          <>
            <Backlog stats={data} />
            <Services stats={data} />
          </>
        )}
      </Fresh>
      <FailuresPanel />
    </>
  );
}

function Summary({ stats: { total, trend, backlog, advice } }: { stats: TaskStats }) {
  const queued = backlog.queues.reduce((sum, { messages }) => sum + messages, 0);
  const waiting = {
    tasks: backlog.lines.reduce((sum, { tasks }) => sum + tasks, 0),
    isCounted: backlog.lines.every(({ isCounted }) => isCounted),
  };
  const oldest = backlog.services.map(({ oldestAt }) => oldestAt).sort()[0];
  return (
    <>
      <div class="figures">
        <Figure
          label="Succeeded, 24 h"
          value={count(total.succeeded)}
          hint={`${count(trend.dayBefore.succeeded)} the day before`}
        />
        <Figure
          label="Failed or expired, 24 h"
          value={count(total.failed + total.expired)}
          hint={`${count(trend.dayBefore.failed + trend.dayBefore.expired)} the day before`}
        />
        <Figure label="Success rate, 24 h" value={total.successRate === null ? '—' : percent(total.successRate)} />
        <Figure label="In queues" value={count(queued)} hint="messages" />
        <Figure label="Wait for capacity" value={tasksIn(waiting)} hint="tasks" />
        <Figure
          label="From accept to end"
          value={total.latency.acceptToEndMs === undefined ? '—' : duration(total.latency.acceptToEndMs.p50)}
          hint={
            total.latency.acceptToEndMs && `half of the tasks; 99 % within ${duration(total.latency.acceptToEndMs.p99)}`
          }
        />
      </div>
      {oldest !== undefined && (
        <p>
          The oldest task that waits for capacity was submitted <Time at={oldest} />.
        </p>
      )}
      {advice.map((each) => (
        <AdviceText key={each.text} advice={each} />
      ))}
    </>
  );
}

function Backlog({ stats: { backlog } }: { stats: TaskStats }) {
  return (
    <Panel title="What waits for capacity">
      {backlog.lines.length === 0 ? (
        <p class="quiet">Nothing waits: every task starts as it comes.</p>
      ) : (
        <LineTable lines={backlog.lines} />
      )}
    </Panel>
  );
}

function Services({ stats: { services } }: { stats: TaskStats }) {
  return (
    <Panel title="Services, 24 h">
      {services.length === 0 ? (
        <p class="quiet">No task has ended or started in 24 hours.</p>
      ) : (
        <Scroll label="Services">
          <table>
            <thead>
              <tr>
                <th>Service</th>
                <th class="number">Succeeded</th>
                <th class="number">Failed or expired</th>
                <th class="number">Success rate</th>
                <th class="number">To start, p95</th>
                <th class="number">To end, p95</th>
                <th>Waited mostly</th>
              </tr>
            </thead>
            <tbody>
              {services.map((each) => {
                const [reason] = Object.entries(each.deferrals).sort(([, a], [, b]) => (b ?? 0) - (a ?? 0));
                return (
                  <tr key={each.service}>
                    <td>
                      <PageLink page="service" name={each.service}>
                        {each.service}
                      </PageLink>
                    </td>
                    <td class="number">{count(each.succeeded)}</td>
                    <td class="number">
                      {each.failed + each.expired === 0 ? (
                        0
                      ) : (
                        <PageLink page="tasks" query={{ service: each.service, status: 'failed' }}>
                          {count(each.failed + each.expired)}
                        </PageLink>
                      )}
                    </td>
                    <td class="number">{each.successRate === null ? '—' : percent(each.successRate)}</td>
                    <td class="number">
                      {each.latency.acceptToStartMs ? duration(each.latency.acceptToStartMs.p95) : '—'}
                    </td>
                    <td class="number">
                      {each.latency.acceptToEndMs ? duration(each.latency.acceptToEndMs.p95) : '—'}
                    </td>
                    <td>{reason === undefined ? '—' : waitingFor(reason[0])}</td>
                  </tr>
                );
              })}
            </tbody>
          </table>
        </Scroll>
      )}
    </Panel>
  );
}
