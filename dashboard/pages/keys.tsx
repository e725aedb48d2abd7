/** API keys by shard and pool: which are ready, which cool and until when. */
import type { z } from 'zod';
import type { KeyStatsSchema } from '../../producer/schema/key.ts';
import { useLive, useTools } from '../live.ts';
import { call } from '../operation.ts';
import { Act } from '../parts/act.tsx';
import { Fresh, Panel, Status } from '../parts/panel.tsx';
import { Scroll } from '../parts/scroll.tsx';
import { Time } from '../parts/time.tsx';
import { count, duration, underWay } from '../words.ts';

type KeyStats = z.infer<typeof KeyStatsSchema>;
type Key = KeyStats['keys'][number];

/** With many shards they are asked in turns. */
const OLD_MS = 10_000;

export function KeysPage() {
  const live = useLive<KeyStats>(call('GET /api/stats/keys', {}));
  return (
    <Fresh live={live}>
      {({ keys, unreachableShards }) => (
        <>
          {unreachableShards.length > 0 && (
            <p class="notice bad">
              Shards that did not answer: {unreachableShards.join(', ')}. Their keys are shown as they last were.
            </p>
          )}
          {keys.length === 0 && (
            <p class="quiet">No API key is configured. Deploy with secrets KEY1, KEY2, …: docs/keys.md says how.</p>
          )}
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
  const { may } = useTools();
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
            <th class="number">Refused for its limit</th>
            <th>Limits</th>
            <th>Last used</th>
            {may('POST /api/keys/:shard/:key/:action') && <th>Actions</th>}
          </tr>
        </thead>
        <tbody>
          {keys.map((each) => {
            const action = each.state === 'disabled' ? 'enable' : 'disable';
            const at = { shard: each.shard, key: each.key };
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
                {may('POST /api/keys/:shard/:key/:action') && (
                  <td>
                    <div class="row">
                      <Act
                        label={action === 'enable' ? 'Enable' : 'Disable'}
                        consequence={
                          action === 'enable'
                            ? `Key ${each.key} of shard ${each.shard} is used again; tasks that wait for a key of pool ${each.pool} start.`
                            : `Key ${each.key} of shard ${each.shard} gets no new calls until it is enabled again. ${underWay(each.inFlight)}; tasks take other keys of pool ${each.pool}, or wait.`
                        }
                        call={call('POST /api/keys/:shard/:key/:action', { ...at, action })}
                        onDone={onChanged}
                      />
                      <Act
                        label="Reset"
                        consequence={`Cooldown, learnt limits and counts of key ${each.key} of shard ${each.shard} are forgotten, as if it had never been used; it is called again at once.`}
                        call={call('POST /api/keys/:shard/:key/:action', { ...at, action: 'reset' })}
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
