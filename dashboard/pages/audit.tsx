/** Who changed what, newest first. */
import type { z } from 'zod';
import type { AuditSchema } from '../../producer/schema/audit.ts';
import { useLive } from '../live.ts';
import { call } from '../operation.ts';
import { InWords } from '../parts/in-words.tsx';
import { Fresh } from '../parts/panel.tsx';
import { Scroll } from '../parts/scroll.tsx';
import { Time } from '../parts/time.tsx';
import { link } from '../route.ts';
import { actText } from '../words.ts';

type Audit = z.infer<typeof AuditSchema>;

const EVERY_MS = 10_000;

export function AuditPage({ query }: { query: URLSearchParams }) {
  const cursor = query.get('cursor');
  const live = useLive<Audit>(call('GET /api/audit', {}, { cursor: cursor ?? undefined }), EVERY_MS);
  return (
    <Fresh live={live}>
      {({ acts, nextCursor }) => (
        <>
          {acts.length === 0 && <p class="quiet">No administrator has changed anything yet.</p>}
          {acts.length > 0 && (
            <Scroll label="Acts">
              <table>
                <thead>
                  <tr>
                    <th>When</th>
                    <th>Who</th>
                    <th>Did</th>
                    <th>To</th>
                    <th>Since then</th>
                  </tr>
                </thead>
                <tbody>
                  {acts.map(({ id, at, subject, act, target, count, after }) => (
                    <tr key={id}>
                      <td>
                        <Time at={at} />
                      </td>
                      <td>{subject}</td>
                      <td>{actText(act)}</td>
                      <td>
                        {target}
                        {count > 1 && ` (${count})`}
                      </td>
                      <td>{after !== undefined && <InWords value={after} />}</td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </Scroll>
          )}
          {nextCursor !== null && <a href={link('audit', undefined, { cursor: nextCursor })}>Older</a>}
        </>
      )}
    </Fresh>
  );
}
