/** A chart over time. Colours follow the theme; the numbers stand in a table for who cannot see it. */
import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { Scroll } from './scroll.tsx';

export interface Series {
  readonly label: string;
  /** A custom property of the style sheet, such as `--good`. */
  readonly colour: string;
  readonly values: readonly number[];
}

interface ChartProps {
  readonly label: string;
  /** Unix seconds. */
  readonly times: readonly number[];
  readonly series: readonly Series[];
}

const HEIGHT = 220;

/** Steps of an axis of counts: there is no half a task. */
const WHOLE = Array.from({ length: 10 }, (_, power) => [1, 2, 5].map((step) => step * 10 ** power)).flat();

/** As whoever looks has it on the wall, like the chart. */
const HOUR = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' });
const ZONE = HOUR.resolvedOptions().timeZone;

/** `14:00`, and the day below where it begins: by the clock of whoever looks. */
function hourLabels(_: uPlot, seconds: number[]): string[] {
  let day = '';
  return seconds.map((at) => {
    const time = new Date(at * 1000);
    const date = time.toLocaleDateString('en-GB', { day: 'numeric', month: 'short' });
    const isNew = date !== day;
    day = date;
    const hour = `${String(time.getHours()).padStart(2, '0')}:00`;
    return isNew ? `${hour}\n${date}` : hour;
  });
}

export function Chart({ label, times, series }: ChartProps) {
  const holder = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const element = holder.current;
    if (element === null) return undefined;
    const draw = () => {
      const style = getComputedStyle(element);
      const colour = (name: string) => style.getPropertyValue(name).trim();
      const axis = {
        stroke: colour('--text'),
        grid: { stroke: colour('--line'), width: 1 / devicePixelRatio },
        ticks: { stroke: colour('--line'), width: 1 / devicePixelRatio },
      };
      element.replaceChildren();
      return new uPlot(
        {
          width: Math.max(240, element.clientWidth),
          height: HEIGHT,
          axes: [
            { ...axis, values: hourLabels },
            { ...axis, size: 56, incrs: WHOLE },
          ],
          series: [
            { label: 'Hour' },
            ...series.map((each) => ({
              label: each.label,
              stroke: colour(each.colour),
              fill: `${colour(each.colour)}22`,
              width: 2,
              points: { show: times.length < 3 },
            })),
          ],
          scales: { y: { range: (_, __, max) => [0, Math.max(1, max * 1.1)] } },
          legend: { live: false },
        },
        [[...times], ...series.map(({ values }) => [...values])],
        element,
      );
    };
    let chart = draw();
    const redraw = () => {
      chart.destroy();
      chart = draw();
    };
    const themes = matchMedia('(prefers-color-scheme: dark)');
    themes.addEventListener('change', redraw);
    addEventListener('resize', redraw);
    return () => {
      themes.removeEventListener('change', redraw);
      removeEventListener('resize', redraw);
      chart.destroy();
    };
  }, [times, series]);
  return (
    <figure>
      <div ref={holder} role="img" aria-label={label} />
      <details>
        <summary>As a table</summary>
        <Scroll label={`${label}, as a table`}>
          <table>
            <thead>
              <tr>
                <th>Hour ({ZONE})</th>
                {series.map((each) => (
                  <th key={each.label}>{each.label}</th>
                ))}
              </tr>
            </thead>
            <tbody>
              {times.map((time, at) => (
                <tr key={time}>
                  <td>{HOUR.format(time * 1000)}</td>
                  {series.map((each) => (
                    <td key={each.label}>{each.values[at]}</td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </Scroll>
      </details>
    </figure>
  );
}
