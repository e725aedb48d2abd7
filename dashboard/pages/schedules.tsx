/** Schedules: when each ran last and runs next, with pause, resume and a run now. */
import type { z } from 'zod';
import type { ScheduleListSchema } from '../../producer/schema/schedule.ts';
import { useLive, useTools } from '../live.ts';
import { call } from '../operation.ts';
import { Act } from '../parts/act.tsx';
import { PageLink } from '../parts/page-link.tsx';
import { Fresh } from '../parts/panel.tsx';
import { Scroll } from '../parts/scroll.tsx';
import { Time } from '../parts/time.tsx';

type ScheduleList = z.infer<typeof ScheduleListSchema>;
type Schedule = ScheduleList['schedules'][number];

export function SchedulesPage() {
  const { may } = useTools();
  const live = useLive<ScheduleList>(call('GET /api/schedules', {}));
  return (
    <Fresh live={live}>
      {({ schedules }) =>
        schedules.length === 0 ? (
          <p class="quiet">
            There is no schedule. <code>POST /api/schedules</code> makes one: <a href="/docs">try it</a>.
          </p>
        ) : (
          <Scroll label="Schedules">
            <table>
              <thead>
                <tr>
                  <th>Schedule</th>
                  <th>Runs</th>
                  <th>Next</th>
                  <th>Last</th>
                  {may('POST /api/schedules/:name/pause') && <th>Actions</th>}
                </tr>
              </thead>
              <tbody>
                {schedules.map((schedule) => (
                  <Row key={`${schedule.subject} ${schedule.name}`} schedule={schedule} onChanged={live.refresh} />
                ))}
              </tbody>
            </table>
          </Scroll>
        )
      }
    </Fresh>
  );
}

function Row({ schedule, onChanged }: { schedule: Schedule; onChanged: () => void }) {
  const { may } = useTools();
  const { name, subject, paused } = schedule;
  return (
    <tr>
      <td>
        {name} <span class="quiet">of {subject}</span>
      </td>
      <td>
        <code>{schedule.cron}</code> <span class="quiet">{schedule.timeZone}</span>
      </td>
      <td>{paused ? <span class="status paused">paused</span> : <Time at={schedule.nextRunAt} />}</td>
      <td>
        {schedule.lastTaskId === undefined ? (
          <Time at={schedule.lastRunAt} />
        ) : (
          <PageLink page="task" name={schedule.lastTaskId}>
            <Time at={schedule.lastRunAt} />
          </PageLink>
        )}
        {schedule.lastError !== undefined && <div class="quiet">{schedule.lastError}</div>}
      </td>
      {may('POST /api/schedules/:name/pause') && (
        <td>
          <div class="row">
            <Act
              label="Run now"
              consequence={`${name} submits its task now; its plan stays as it is.`}
              call={call('POST /api/schedules/:name/run', { name }, { subject })}
              onDone={onChanged}
            />
            <Act
              label={paused ? 'Resume' : 'Pause'}
              consequence={
                paused
                  ? `${name} runs again at its next time; what it missed is not made up for.`
                  : `${name} does not run until it is resumed. Tasks that it has submitted go on.`
              }
              call={call(
                paused ? 'POST /api/schedules/:name/resume' : 'POST /api/schedules/:name/pause',
                { name },
                { subject },
              )}
              onDone={onChanged}
            />
          </div>
        </td>
      )}
    </tr>
  );
}
