/** Why tasks failed in the last day: errors that are alike, how many tasks each took, and what helps. */
import type { z } from 'zod';
import type { ErrorGroupsSchema } from '../../producer/schema/find.ts';
import { useLive } from '../live.ts';
import { call } from '../operation.ts';
import { count, ERROR_HELP } from '../words.ts';
import { PageLink } from './page-link.tsx';
import { Fresh, Panel } from './panel.tsx';
import { Scroll } from './scroll.tsx';
import { Time } from './time.tsx';

type ErrorGroups = z.infer<typeof ErrorGroupsSchema>;
type Group = ErrorGroups['groups'][number];

const HOUR_MS = 3600_000;
const HOURS = 24;
const SHOWN_GROUPS = 8;
/** Up to ten thousand rows are read each time. */
const EVERY_MS = 60_000;

/** @param service of one service alone; undefined: of all */
export function FailuresPanel({ service }: { service?: string }) {
  const after = new Date((Math.floor(Date.now() / HOUR_MS) - HOURS) * HOUR_MS).toISOString();
  const live = useLive<ErrorGroups>(call('GET /api/tasks/errors', {}, { service, after }), EVERY_MS);
  return (
    <Panel title="Why tasks failed, 24 h">
      <Fresh live={live}>{(data) => <Groups found={data} service={service} />}</Fresh>
    </Panel>
  );
}

function Groups({ found: { groups, nextCursor }, service }: { found: ErrorGroups; service: string | undefined }) {
  if (groups.length === 0) return <p class="quiet">No task of the last 24 hours failed or expired.</p>;
  const left = groups.length - SHOWN_GROUPS;
  return (
    <>
      <Scroll label="Why tasks failed">
        <table>
          <thead>
            <tr>
              <th class="number">Tasks</th>
              <th>Error</th>
              {service === undefined && <th>Service</th>}
              <th>Latest</th>
              <th>What helps</th>
            </tr>
          </thead>
          <tbody>
            {groups.slice(0, SHOWN_GROUPS).map((group) => (
              <Row key={`${group.class} ${group.httpStatus} ${group.message}`} group={group} service={service} />
            ))}
          </tbody>
        </table>
      </Scroll>
      {left > 0 && <p class="quiet">And {count(left)} other errors, of fewer tasks.</p>}
      {nextCursor !== null && <p class="quiet">Counted are the newest tasks; older ones may have failed too.</p>}
    </>
  );
}

function Row({ group, service }: { group: Group; service: string | undefined }) {
  const one = service ?? (group.services.length === 1 ? group.services[0] : undefined);
  return (
    <tr>
      <td class="number">
        <PageLink page="tasks" query={{ service: one, errorClass: group.class }}>
          {count(group.count)}
        </PageLink>
      </td>
      <td>
        <span class="wraps" title={`Errors that are alike but for what is #: ${group.message}`}>
          {group.latest.message}
        </span>
      </td>
      {service === undefined && (
        <td>
          {group.services.map((name, at) => (
            <span key={name}>
              {at > 0 && ', '}
              <PageLink page="service" name={name}>
                {name}
              </PageLink>
            </span>
          ))}
        </td>
      )}
      <td>
        <PageLink page="task" name={group.latest.id}>
          <Time at={group.latest.at} />
        </PageLink>
      </td>
      <td>
        <span class="wraps">
          {ERROR_HELP[group.class]}{' '}
          <PageLink page="redrive" query={{ act: 'redrive', service: one, errorClass: group.class }}>
            Run them again
          </PageLink>
        </span>
      </td>
    </tr>
  );
}
