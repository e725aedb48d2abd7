/** API keys by shard and pool: which are ready, which cool and until when. */
import type { z } from 'zod';
import type { KeyStatsSchema } from '../../producer/schema/key.ts';
import { useLive, useTools } from '../live.ts';
import { Act, mayAct } from '../parts/act.tsx';
import { Fresh, Panel, Status } from '../parts/panel.tsx';
import { Scroll } from '../parts/scroll.tsx';
import { Time } from '../parts/time.tsx';
import { count, duration } from '../words.ts';

type KeyStats = z.infer<typeof KeyStatsSchema>;
type Key = KeyStats['keys'][number];

/** With many shards they are asked in turns. */
const OLD_MS = 10_000;

export function KeysPage() {
  const live = useLive<KeyStats>('/api/stats/keys');
  return (
    <Fresh live={live}>
      {({ keys, unreachableShards }) => (
        <>
          {unreachableShards.length > 0 && (
            <p class="notice bad">
              Shards that did not answer: {unreachableShards.join(', ')}. Their keys are shown as they last were.
            </p>
          )}
          {keys.length === 0 && <p class="quiet">No API key is configured. docs/keys.md says how to add some.</p>}
          {[...Map.groupBy(keys, ({ pool }) => pool)].map(([pool, own]) => (
            <Panel key={pool} title={`Pool ${pool}`} aside={<span class="quiet">{keysByState(own)}</span>}>
              <KeyTable keys={own} onChanged={live.refresh} />
            </Panel>
          ))}
        </>
      )}
    </Fresh>
  );
}

export function keysByState(keys: readonly Key[]): string {
  const byState = [...Map.groupBy(keys, ({ state }) => state)];
  return byState.map(([state, own]) => `${own.length} ${state}`).join(', ');
}

export function KeyTable({ keys, onChanged }: { keys: readonly Key[]; onChanged: () => void }) {
  const { api, session } = useTools();
  return (
    <Scroll label="Keys">
      <table>
        <thead>
          <tr>
            <th>Shard</th>
            <th>Key</th>
            <th>State</th>
            <th>Ready</th>
            <th class="number">Under way</th>
            <th class="number">Calls</th>
            <th class="number">Limited</th>
            <th>Limits</th>
            <th>Last used</th>
            {mayAct(session) && <th>Actions</th>}
          </tr>
        </thead>
        <tbody>
          {keys.map((each) => {
            const action = each.state === 'disabled' ? 'enable' : 'disable';
            const path = `/api/keys/${each.shard}/${encodeURIComponent(each.key)}`;
            return (
              <tr key={`${each.shard} ${each.key}`}>
                <td>{each.shard}</td>
                <td>
                  {each.key} <code class="quiet">{each.fingerprint}</code>
                </td>
                <td>
                  <Status status={each.state} />
                  {each.why !== undefined && <span class="quiet"> {each.why}</span>}
                </td>
                <td>
                  {each.state === 'ready' ? 'now' : <Time at={each.until} />}
                  {Date.now() - Date.parse(each.asOf) > OLD_MS && (
                    <div class="quiet">
                      as of <Time at={each.asOf} />
                    </div>
                  )}
                </td>
                <td class="number">{each.inFlight}</td>
                <td class="number">{count(each.calls)}</td>
                <td class="number">{count(each.rateLimited)}</td>
                <td>
                  {each.limits.length === 0 && <span class="quiet">none known</span>}
                  {each.limits.map((limit) => (
                    <div key={`${limit.bucket} ${limit.from} ${limit.seconds}`}>{limitText(limit)}</div>
                  ))}
                </td>
                <td>
                  <Time at={each.lastUsedAt} />
                </td>
                {mayAct(session) && (
                  <td>
                    <div class="row">
                      <Act
                        label={action === 'enable' ? 'Enable' : 'Disable'}
                        consequence={
                          action === 'enable'
                            ? `Key ${each.key} is used again; tasks that wait for it start.`
                            : `Key ${each.key} gets no new calls until it is enabled again.`
                        }
                        run={() => api.send('POST', `${path}/${action}`)}
                        onDone={onChanged}
                      />
                      <Act
                        label="Reset"
                        consequence={`Cooldown, limits and counts of key ${each.key} are forgotten, as if it had never been used.`}
                        run={() => api.send('POST', `${path}/reset`)}
                        onDone={onChanged}
                      />
                    </div>
                  </td>
                )}
              </tr>
            );
          })}
        </tbody>
      </table>
    </Scroll>
  );
}

/** `60 in 60 s (learnt)`, `4 at a time (configured)` */
function limitText({ from, calls, seconds, bucket }: Key['limits'][number]): string {
  const within = seconds === undefined ? 'at a time' : `in ${duration(seconds * 1000)}`;
  return `${count(calls)} ${within} (${bucket === undefined ? '' : `${bucket}, `}${from})`;
}
