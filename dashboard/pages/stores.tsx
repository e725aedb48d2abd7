/** Stores: how full each is, and for how long it lasts. */
import type { z } from 'zod';
import type { StoreStatsSchema } from '../../producer/schema/statistics.ts';
import { useLive } from '../live.ts';
import { call } from '../operation.ts';
import { Meter } from '../parts/meter.tsx';
import { Fresh, Status } from '../parts/panel.tsx';
import { Scroll } from '../parts/scroll.tsx';
import { bytes, counted } from '../words.ts';

type StoreStats = z.infer<typeof StoreStatsSchema>;
type Store = StoreStats['stores'][number];

const EVERY_MS = 10_000;

const MEANINGS: Readonly<Record<Store['state'], string>> = {
  ok: 'takes new tasks',
  'nearly-full': 'takes new tasks; deploy with one more store, or lower BODY_RETENTION_DAYS or RETENTION_DAYS',
  full: 'takes no new tasks; what was accepted still ends. Deploy with one more store',
  away: 'does not answer; its tasks go on when it does. See D1 in the Cloudflare dashboard',
  draining: 'takes no new tasks, so that it can be removed',
};

export function StoresPage() {
  const live = useLive<StoreStats>(call('GET /api/stats/stores', {}), EVERY_MS);
  return (
    <Fresh live={live}>
      {({ stores }) => (
        <>
          <p class="quiet">
            A store is a database. New tasks go to the stores with most room; docs/scaling.md says when to add one.
          </p>
          <Scroll label="Stores">
            <table>
              <thead>
                <tr>
                  <th>Store</th>
                  <th>State</th>
                  <th>Filled</th>
                  <th>Full</th>
                  <th>What it does</th>
                </tr>
              </thead>
              <tbody>
                {stores.map((store) => (
                  <Row key={store.store} store={store} />
                ))}
              </tbody>
            </table>
          </Scroll>
        </>
      )}
    </Fresh>
  );
}

function Row({ store: { store, state, bytes: size, limitBytes, usedPercent = 0, daysLeft } }: { store: Store }) {
  const tone = state === 'full' ? 'bad' : state === 'nearly-full' ? 'warn' : 'good';
  return (
    <tr>
      <td>{store}</td>
      <td>
        <Status status={state} />
      </td>
      <td>
        {size === undefined ? (
          <span class="quiet">not known yet</span>
        ) : (
          <Meter
            label={`Store ${store}`}
            share={usedPercent / 100}
            text={`${bytes(size)} of ${bytes(limitBytes)}, ${usedPercent} %`}
            tone={tone}
          />
        )}
      </td>
      <td>{daysLeft === undefined ? <span class="quiet">not at this pace</span> : `in ${counted(daysLeft, 'day')}`}</td>
      <td>{MEANINGS[state]}</td>
    </tr>
  );
}
