/** Alerts: what is wrong now and what helps, who is told, and silences. */
import type { z } from 'zod';
import type { AlertsSchema } from '../../producer/schema/alert.ts';
import { targetOfLine } from '../../shared/capacity/line.ts';
import { useLive } from '../live.ts';
import { call } from '../operation.ts';
import { Act } from '../parts/act.tsx';
import { PageLink } from '../parts/page-link.tsx';
import { Fresh, Panel, Status } from '../parts/panel.tsx';
import { Sentence } from '../parts/sentence.tsx';
import { Time } from '../parts/time.tsx';
import { alertTitle, quantity } from '../words.ts';
import { AlertSettings } from './alert-settings.tsx';

type Alerts = z.infer<typeof AlertsSchema>;
type Alert = Alerts['alerts'][number];

const HOUR_MS = 3600_000;
const SILENCE_HOURS = [1, 8] as const;
const LATE_MS = 5 * 60_000;

const PHASES: Readonly<Record<Alert['phase'], string>> = {
  raising: 'wrong since a moment ago, nobody told yet',
  firing: 'wrong now',
  clearing: 'right again since a moment ago',
};

export function AlertsPage() {
  const live = useLive<Alerts>(call('GET /api/alerts', {}));
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
  const live = useLive<Alerts>(call('GET /api/alerts', {}), 15_000);
  return (
    <Panel title="Needs a person" aside={<PageLink page="alerts">All alerts</PageLink>}>
      <Fresh live={live}>
        {({ alerts, evaluatedAt }) => {
          const firing = alerts.filter(
            ({ phase, silencedUntil }) => phase !== 'raising' && silencedUntil === undefined,
          );
          return firing.length === 0 ? (
            <p class="quiet">
              Nothing
              {evaluatedAt !== null && (
                <>
                  , looked at <Time at={evaluatedAt} />
                </>
              )}
              .
            </p>
          ) : (
            // Several of a kind are one thing to do.
            [...Map.groupBy(firing, ({ remedy }) => remedy)].map(([remedy, alike]) => (
              <div key={remedy} class="notice bad">
                {alike.map((alert) => (
                  <div key={alert.name}>
                    <Sentence text={alert.summary} /> <Ways alert={alert} />
                  </div>
                ))}
                <div class="quiet">
                  <Sentence text={remedy} />
                </div>
              </div>
            ))
          );
        }}
      </Fresh>
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
            {isLate &&
              ' It should be every minute: see the cron trigger of the Worker tasklane-producer in the Cloudflare dashboard.'}
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
  const { name, kind, target, phase, since, value, threshold, unit, summary, silencedUntil } = alert;
  const silence = call('POST /api/alerts/silence', {});
  return (
    <Panel
      title={alertTitle(kind, target)}
      aside={<Status status={phase === 'firing' ? 'failed' : 'deferred'} text={PHASES[phase]} />}
    >
      <p>
        <Sentence text={summary} />
      </p>
      <p class="notice">
        <Sentence text={alert.remedy} /> <Ways alert={alert} />
      </p>
      <p class="quiet">
        It began <Time at={since} />. {quantity(value, unit)}; it is an alert from {threshold} on.
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
              call={silence}
              body={() => ({ alert: name, until: new Date(Date.now() + hours * HOUR_MS).toISOString() })}
              onDone={onChanged}
            />
          ))
        ) : (
          <Act
            label="End the silence"
            consequence="Whoever receives alerts is told again, of this one at the next look."
            call={silence}
            body={{ alert: name, until: null }}
            onDone={onChanged}
          />
        )}
      </div>
    </Panel>
  );
}

/** The ways to where it is mended. */
function Ways({ alert }: { alert: Alert }) {
  return (
    <span class="ways">
      {waysOf(alert).map(({ text, ...to }) => (
        <PageLink key={text} {...to}>
          {text}
        </PageLink>
      ))}
    </span>
  );
}

type Way = Pick<Parameters<typeof PageLink>[0], 'page' | 'name' | 'query'> & { readonly text: string };

/** The pages that a remedy speaks of. */
function waysOf({ kind, target }: Alert): readonly Way[] {
  const service: Way = { text: `Service ${target}`, page: 'service', name: target };
  const keys: Way = { text: 'Keys', page: 'keys' };
  switch (kind) {
    case 'failure-rate':
      return [service, { text: 'Redrive', page: 'redrive', query: { act: 'redrive', service: target } }];
    case 'tasks-expiring':
    case 'circuit-open':
    case 'service-unreachable':
      return [service];
    case 'keys-cooling':
    case 'keys-refused':
      return [keys];
    case 'store-fill':
      return [{ text: 'Stores', page: 'stores' }];
    case 'backlog-late': {
      const line = targetOfLine(target);
      const cancel: Way = { text: 'Redrive', page: 'redrive', query: { act: 'cancel' } };
      if (line?.kind === 'pool') return [keys, cancel];
      if (line?.kind === 'flow') return [{ text: 'Flows', page: 'flows' }, cancel];
      if (line?.kind !== 'service') return [cancel];
      const name = line.service;
      return [
        { text: `Service ${name}`, page: 'service', name },
        { ...cancel, query: { act: 'cancel', service: name } },
      ];
    }
    // What helps is done at the platform.
    case 'dead-letters':
    case 'sweep-late':
    case 'part-away':
      return [];
  }
}
