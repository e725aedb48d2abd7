/** Groups: how far each is, and what became of its tasks. */
import type { z } from 'zod';
import type { GroupListSchema, GroupSchema } from '../../producer/schema/group.ts';
import { useLive, useTools } from '../live.ts';
import { Act, mayAct } from '../parts/act.tsx';
import { Meter } from '../parts/meter.tsx';
import { Fresh, Status } from '../parts/panel.tsx';
import { Scroll } from '../parts/scroll.tsx';
import { Time } from '../parts/time.tsx';
import { link } from '../route.ts';
import { count } from '../words.ts';

type GroupList = z.infer<typeof GroupListSchema>;
type Group = z.infer<typeof GroupSchema>;

const PAGE_GROUPS = 50;

export function GroupsPage({ query }: { query: URLSearchParams }) {
  const { session } = useTools();
  const before = query.get('before');
  const asked = new URLSearchParams({ limit: String(PAGE_GROUPS), ...(before !== null && { before }) });
  const live = useLive<GroupList>(`/api/groups?${asked}`);
  return (
    <Fresh live={live}>
      {({ groups }) => (
        <>
          {groups.length === 0 && (
            <p class="quiet">
              {before === null ? 'There is no group. A task that names a `group` makes one.' : 'No older group.'}
            </p>
          )}
          {groups.length > 0 && (
            <Scroll label="Groups">
              <table>
                <thead>
                  <tr>
                    <th>Group</th>
                    <th>Status</th>
                    <th>Progress</th>
                    <th class="number">Succeeded</th>
                    <th class="number">Failed</th>
                    <th class="number">Open</th>
                    <th>Begun</th>
                    {mayAct(session, true) && <th>Actions</th>}
                  </tr>
                </thead>
                <tbody>
                  {groups.map((group) => (
                    <Row key={`${group.subject} ${group.id}`} group={group} onChanged={live.refresh} />
                  ))}
                </tbody>
              </table>
            </Scroll>
          )}
          <p class="row">
            {before !== null && <a href={link('groups')}>Newest</a>}
            {groups.length === PAGE_GROUPS && (
              <a href={link('groups', undefined, { before: groups.at(-1)?.createdAt })}>Older</a>
            )}
          </p>
        </>
      )}
    </Fresh>
  );
}

function Row({ group, onChanged }: { group: Group; onChanged: () => void }) {
  const { api, session } = useTools();
  const { id, subject, status, counts, total, done } = group;
  const act = (action: string) =>
    api.send('POST', `/api/groups/${encodeURIComponent(id)}/${action}?subject=${encodeURIComponent(subject)}`);
  return (
    <tr>
      <td>
        <a href={link('tasks', undefined, { group: id, subject })}>{id}</a> <span class="quiet">of {subject}</span>
      </td>
      <td>
        <Status status={status} />
        {group.cancelledAt !== undefined && <span class="quiet"> cancelled</span>}
      </td>
      <td>
        <Meter
          label={`Progress of ${id}`}
          share={total === 0 ? 0 : done / total}
          text={`${count(done)} of ${count(total)}`}
        />
      </td>
      <td class="number">{count(counts.succeeded)}</td>
      <td class="number">{count(counts.failed + counts.expired)}</td>
      <td class="number">{count(counts.open)}</td>
      <td>
        <Time at={group.createdAt} />
      </td>
      {mayAct(session, true) && (
        <td>
          <div class="row">
            {status === 'open' && (
              <Act
                label="Close"
                consequence={`${id} takes no more tasks, and ends when its ${count(counts.open)} open tasks have.`}
                run={() => act('close')}
                onDone={onChanged}
                forClients
              />
            )}
            {status !== 'ended' && (
              <Act
                label="Cancel"
                consequence={`The ${count(counts.open)} tasks of ${id} that have not ended are cancelled; none comes back.`}
                run={() => act('cancel')}
                onDone={onChanged}
                forClients
              />
            )}
          </div>
        </td>
      )}
    </tr>
  );
}
