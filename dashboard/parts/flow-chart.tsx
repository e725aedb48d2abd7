/** The flow of the last two days, by hour. */
import { useMemo } from 'preact/hooks';
import { flowOf, type HourlyStats } from '../flow.ts';
import { useLive } from '../live.ts';
import { call } from '../operation.ts';
import { Chart } from './chart.tsx';
import { Fresh, Panel } from './panel.tsx';

const HOURS = 48;
const EVERY_MS = 30_000;

/** @param service of one service alone; undefined: of all */
export function FlowPanel({ service }: { service?: string }) {
  const hourly = call('GET /api/stats/hourly', {}, { hours: String(HOURS), name: service });
  const live = useLive<HourlyStats>(hourly, EVERY_MS);
  return (
    <Panel title="Flow, by hour">
      <Fresh live={live}>{(data) => <Flow hourly={data} />}</Fresh>
    </Panel>
  );
}

function Flow({ hourly }: { hourly: HourlyStats }) {
  const { times, series } = useMemo(() => flowOf(hourly, HOURS, Date.now()), [hourly]);
  if (hourly.hours.length === 0) return <p class="quiet">No task has ended in the last two days.</p>;
  return <Chart label="Tasks by hour, by how they ended" times={times} series={series} />;
}
