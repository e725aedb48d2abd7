/** What waits for capacity, line by line. */
import type { Backlog } from '../../producer/schema/statistics.ts';
import { lineInWords } from '../../shared/capacity/line.ts';
import { count, rate } from '../words.ts';
import { PageLink } from './page-link.tsx';
import { Scroll } from './scroll.tsx';
import { Time } from './time.tsx';

type Line = Backlog['lines'][number];

/** @param own of one service alone, how many of its tasks are in each */
export function LineTable({ lines, own }: { lines: readonly Line[]; own?: Backlog['services'][number]['lines'] }) {
  return (
    <Scroll label="What waits for capacity">
      <table>
        <thead>
          <tr>
            <th>For</th>
            {own !== undefined && <th class="number">Its tasks</th>}
            <th class="number">{own === undefined ? 'Tasks' : 'All tasks'}</th>
            <th>Oldest</th>
            <th class="number">Pace</th>
            <th>Empty</th>
          </tr>
        </thead>
        <tbody>
          {lines.map((line) => (
            <tr key={line.line}>
              <td>
                <What line={line} />
              </td>
              {own !== undefined && (
                <td class="number">{count(own.find((each) => each.line === line.line)?.tasks ?? 0)}</td>
              )}
              <td class="number">{tasksIn(line)}</td>
              <td>
                <Time at={line.oldestAt} />
              </td>
              <td class="number">{line.perSecond === undefined ? '—' : rate(line.perSecond)}</td>
              <td>
                <Time at={line.emptyAt} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}

/** Where there are more than were counted it says so. */
export function tasksIn({ tasks, isCounted }: { readonly tasks: number; readonly isCounted: boolean }): string {
  return isCounted ? count(tasks) : `more than ${count(tasks)}`;
}

function What({ line: { line, service, pool, flow } }: { line: Line }) {
  const words = lineInWords(line);
  if (pool !== undefined) return <PageLink page="keys">{words}</PageLink>;
  if (flow !== undefined) return <PageLink page="flows">{words}</PageLink>;
  return (
    <PageLink page="service" name={service ?? line}>
      {words}
    </PageLink>
  );
}
