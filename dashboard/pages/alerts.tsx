/** Alerts: what is wrong now and what helps, who is told, and silences. */
import type { z } from 'zod';
import type { AlertsSchema } from '../../producer/schema/alert.ts';
import { useLive, useTools } from '../live.ts';
import { Act } from '../parts/act.tsx';
import { Fresh, Panel, Status } from '../parts/panel.tsx';
import { Time } from '../parts/time.tsx';
import { link } from '../route.ts';
import { ALERT_TITLES } from '../words.ts';
import { AlertSettings } from './alert-settings.tsx';

type Alerts = z.infer<typeof AlertsSchema>;
type Alert = Alerts['alerts'][number];

const HOUR_MS = 3600_000;
const SILENCE_HOURS = [1, 8] as const;
const LATE_MS = 5 * 60_000;

export function AlertsPage() {
  const live = useLive<Alerts>('/api/alerts');
  return (
    <Fresh live={live}>
      {(data) => (
        <>
          <AlertList alerts={data.alerts} evaluatedAt={data.evaluatedAt} onChanged={live.refresh} />
          <AlertSettings data={data} onChanged={live.refresh} />
        </>
      )}
    </Fresh>
  );
}

/** Those that fire, in short, for whoever looks at the overview. */
export function FiringAlerts() {
  const { data } = useLive<Alerts>('/api/alerts', 15_000);
  const firing =
    data?.alerts.filter(({ phase, silencedUntil }) => phase !== 'raising' && silencedUntil === undefined) ?? [];
  if (firing.length === 0) return null;
  return (
    <Panel title="Needs a person" aside={<a href="#/alerts">All alerts</a>}>
      {firing.map((alert) => (
        <p key={alert.name} class="notice bad">
          {alert.summary} <span class="quiet">{alert.remedy}</span>
        </p>
      ))}
    </Panel>
  );
}

function AlertList({
  alerts,
  evaluatedAt,
  onChanged,
}: {
  alerts: readonly Alert[];
  evaluatedAt: string | null;
  onChanged: () => void;
}) {
  const isLate = evaluatedAt !== null && Date.now() - Date.parse(evaluatedAt) > LATE_MS;
  return (
    <>
      <p class={isLate ? 'notice bad' : 'quiet'}>
        {evaluatedAt === null ? (
          'Nothing was looked at yet; the first look comes within a minute.'
        ) : (
          <>
            Last looked at <Time at={evaluatedAt} />.
            {isLate && ' It should be every minute: see the cron of the producer.'}
          </>
        )}
      </p>
      {alerts.length === 0 && <p>Nothing is wrong.</p>}
      {alerts.map((alert) => (
        <AlertCard key={alert.name} alert={alert} onChanged={onChanged} />
      ))}
    </>
  );
}

function AlertCard({ alert, onChanged }: { alert: Alert; onChanged: () => void }) {
  const { api } = useTools();
  const { name, kind, target, phase, since, value, threshold, unit, summary, remedy, silencedUntil } = alert;
  const silence = (until: string | null) => api.send('POST', '/api/alerts/silence', { alert: name, until });
  return (
    <Panel
      title={target === '' ? ALERT_TITLES[kind] : `${ALERT_TITLES[kind]}: ${target}`}
      aside={<Status status={phase === 'firing' ? 'failed' : 'deferred'} text={phase} />}
    >
      <p>{summary}</p>
      <p class="notice">
        {remedy} <a href={placeOf(alert)}>Look at it</a>
      </p>
      <p class="quiet">
        Since <Time at={since} />. {value} {unit}; told from {threshold} on.
        {silencedUntil !== undefined && (
          <>
            {' '}
            Nobody is told: silenced, ends <Time at={silencedUntil} />.
          </>
        )}
      </p>
      <div class="row">
        {silencedUntil === undefined ? (
          SILENCE_HOURS.map((hours) => (
            <Act
              key={hours}
              label={`Silence for ${hours} h`}
              consequence={`Nobody is told of this alert for ${hours} h. It stays here; if it still fires then, it is told.`}
              run={() => silence(new Date(Date.now() + hours * HOUR_MS).toISOString())}
              onDone={onChanged}
            />
          ))
        ) : (
          <Act
            label="End the silence"
            consequence="Whoever receives alerts is told again, of this one at the next look."
            run={() => silence(null)}
            onDone={onChanged}
          />
        )}
      </div>
    </Panel>
  );
}

/** The page that shows what an alert is about. */
function placeOf({ kind, target }: Alert): string {
  switch (kind) {
    case 'failure-rate':
      return link('tasks', undefined, { service: target, status: 'failed' });
    case 'tasks-expiring':
      return link('tasks', undefined, { service: target });
    case 'keys-cooling':
    case 'keys-refused':
      return link('keys');
    case 'circuit-open':
    case 'service-unreachable':
      return link('service', target);
    case 'store-fill':
      return link('stores');
    case 'backlog-late':
    case 'dead-letters':
    case 'sweep-late':
    case 'part-away':
      return link('overview');
  }
}
