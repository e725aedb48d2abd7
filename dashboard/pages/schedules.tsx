/** Schedules: when each ran last and runs next, with pause, resume and a run now. */
import type { z } from 'zod';
import type { ScheduleListSchema } from '../../producer/schema/schedule.ts';
import { useLive, useTools } from '../live.ts';
import { Act, mayAct } from '../parts/act.tsx';
import { Fresh } from '../parts/panel.tsx';
import { Scroll } from '../parts/scroll.tsx';
import { Time } from '../parts/time.tsx';
import { link } from '../route.ts';

type ScheduleList = z.infer<typeof ScheduleListSchema>;
type Schedule = ScheduleList['schedules'][number];

export function SchedulesPage() {
  const { session } = useTools();
  const live = useLive<ScheduleList>('/api/schedules');
  return (
    <Fresh live={live}>
      {({ schedules }) =>
        schedules.length === 0 ? (
          <p class="quiet">There is no schedule. POST /api/schedules makes one.</p>
        ) : (
          <Scroll label="Schedules">
            <table>
              <thead>
                <tr>
                  <th>Schedule</th>
                  <th>Runs</th>
                  <th>Next</th>
                  <th>Last</th>
                  {mayAct(session, true) && <th>Actions</th>}
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
  const { api, session } = useTools();
  const { name, subject, paused } = schedule;
  const act = (action: string) =>
    api.send('POST', `/api/schedules/${encodeURIComponent(name)}/${action}?subject=${encodeURIComponent(subject)}`);
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
          <a href={link('task', schedule.lastTaskId)}>
            <Time at={schedule.lastRunAt} />
          </a>
        )}
        {schedule.lastError !== undefined && <div class="quiet">{schedule.lastError}</div>}
      </td>
      {mayAct(session, true) && (
        <td>
          <div class="row">
            <Act
              label="Run now"
              consequence={`${name} submits its task now; its plan stays as it is.`}
              run={() => act('run')}
              onDone={onChanged}
              forClients
            />
            <Act
              label={paused ? 'Resume' : 'Pause'}
              consequence={
                paused
                  ? `${name} runs again at its next time; what it missed is not made up for.`
                  : `${name} does not run until it is resumed. Tasks that it has submitted go on.`
              }
              run={() => act(paused ? 'resume' : 'pause')}
              onDone={onChanged}
              forClients
            />
          </div>
        </td>
      )}
    </tr>
  );
}
