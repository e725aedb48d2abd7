/** Groups: how far each is, and what became of its tasks. */
import type { z } from 'zod';
import type { GroupListSchema, GroupSchema } from '../../producer/schema/group.ts';
import { useLive, useTools } from '../live.ts';
import { call } from '../operation.ts';
import { Act } from '../parts/act.tsx';
import { Meter } from '../parts/meter.tsx';
import { Fresh, Status } from '../parts/panel.tsx';
import { Scroll } from '../parts/scroll.tsx';
import { Time } from '../parts/time.tsx';
import { link } from '../route.ts';
import { count, counted } from '../words.ts';

type GroupList = z.infer<typeof GroupListSchema>;
type Group = z.infer<typeof GroupSchema>;

const PAGE_GROUPS = 50;

export function GroupsPage({ query }: { query: URLSearchParams }) {
  const { may } = useTools();
  const before = query.get('before');
  const asked = { limit: String(PAGE_GROUPS), before: before ?? undefined };
  const live = useLive<GroupList>(call('GET /api/groups', {}, asked));
  return (
    <Fresh live={live}>
      {({ groups }) => (
        <>
          {groups.length === 0 && (
            <p class="quiet">
              {before === null ? (
                <>
                  There is no group. A task that is submitted with a <code>group</code> makes one.
                </>
              ) : (
                'No older group.'
              )}
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
                    {may('POST /api/groups/:id/cancel') && <th>Actions</th>}
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
  const { may } = useTools();
  const { id, subject, status, counts, total, done } = group;
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
      {may('POST /api/groups/:id/cancel') && (
        <td>
          <div class="row">
            {status === 'open' && (
              <Act
                label="Close"
                consequence={`${id} takes no more tasks, and ends when its ${counted(counts.open, 'open task')} ${counts.open === 1 ? 'has' : 'have'}.`}
                call={call('POST /api/groups/:id/close', { id }, { subject })}
                onDone={onChanged}
              />
            )}
            {status !== 'ended' && (
              <Act
                label="Cancel"
                consequence={`${counted(counts.open, 'task')} of ${id} that ${counts.open === 1 ? 'has' : 'have'} not ended ${counts.open === 1 ? 'is' : 'are'} cancelled; none comes back.`}
                call={call('POST /api/groups/:id/cancel', { id }, { subject })}
                onDone={onChanged}
              />
            )}
          </div>
        </td>
      )}
    </tr>
  );
}
