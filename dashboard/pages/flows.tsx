/** Flows: the limits that tasks of one key share, what runs and waits in each; pause, resume and other limits. */
import type { z } from 'zod';
import type { FlowBodySchema, FlowDocumentSchema, FlowListSchema } from '../../producer/schema/flow.ts';
import { useLive, useTools } from '../live.ts';
import { call } from '../operation.ts';
import { Act } from '../parts/act.tsx';
import { Fresh, Status } from '../parts/panel.tsx';
import { PauseFields, pauseIn } from '../parts/pause-fields.tsx';
import { Scroll } from '../parts/scroll.tsx';
import { textIn } from '../parts/task-filter.tsx';
import { Time } from '../parts/time.tsx';
import { link } from '../route.ts';
import { count, counted, duration, underWay } from '../words.ts';

type FlowList = z.infer<typeof FlowListSchema>;
type Flow = z.infer<typeof FlowDocumentSchema>;

const PAGE_FLOWS = '50';
const DEFAULT_PERIOD_SECONDS = 1;

export function FlowsPage({ query }: { query: URLSearchParams }) {
  const { may } = useTools();
  const cursor = query.get('cursor') ?? undefined;
  const live = useLive<FlowList>(call('GET /api/flows', {}, { limit: PAGE_FLOWS, cursor }));
  return (
    <Fresh live={live}>
      {({ flows, nextCursor }) => (
        <>
          {flows.length === 0 ? (
            <p class="quiet">
              No flow has had tasks of late. A task that is submitted with a <code>flow</code> makes one.
            </p>
          ) : (
            <Scroll label="Flows">
              <table>
                <thead>
                  <tr>
                    <th>Flow</th>
                    <th>State</th>
                    <th>Limits</th>
                    <th class="number">Calls under way</th>
                    <th class="number">Tasks that wait</th>
                    {may('POST /api/flows/:key/pause') && <th>Actions</th>}
                  </tr>
                </thead>
                <tbody>
                  {flows.map((flow) => (
                    <Row key={`${flow.subject}/${flow.key}`} flow={flow} onChanged={live.refresh} />
                  ))}
                </tbody>
              </table>
            </Scroll>
          )}
          <p class="row">
            {cursor !== undefined && <a href={link('flows')}>First</a>}
            {nextCursor !== null && <a href={link('flows', undefined, { cursor: nextCursor })}>More</a>}
          </p>
        </>
      )}
    </Fresh>
  );
}

function Row({ flow, onChanged }: { flow: Flow; onChanged: () => void }) {
  const { may } = useTools();
  const { key, subject, paused, pause, inFlight, waiting, source } = flow;
  return (
    <tr>
      <td>
        {key} <span class="quiet">of {subject}</span>
      </td>
      <td>
        <Status status={paused ? 'paused' : 'healthy'} text={paused ? 'paused' : 'runs'} />
        {pause?.reason !== undefined && <div class="quiet">{pause.reason}</div>}
        {pause?.until !== undefined && (
          <div class="quiet">
            ends <Time at={pause.until} />
          </div>
        )}
      </td>
      <td>
        {limitText(flow)} <span class="quiet">{source === 'api' ? 'set by hand' : 'as its tasks say'}</span>
      </td>
      <td class="number">{count(inFlight)}</td>
      <td class="number">{count(waiting)}</td>
      {may('POST /api/flows/:key/pause') && (
        <td>{isShortened(flow) ? <Elsewhere /> : <Acts flow={flow} onChanged={onChanged} />}</td>
      )}
    </tr>
  );
}

function Acts({ flow, onChanged }: { flow: Flow; onChanged: () => void }) {
  const { key, subject, paused, inFlight, waiting, concurrency, rate, periodSeconds } = flow;
  const waits = `${counted(waiting, 'task')} of ${key} that ${waiting === 1 ? 'waits' : 'wait'}`;
  return (
    <div class="row">
      {paused ? (
        <Act
          label="Resume"
          consequence={`${waits} may start again, the oldest first.`}
          call={call('POST /api/flows/:key/resume', { key }, { subject })}
          onDone={onChanged}
        />
      ) : (
        <Act
          label="Pause"
          consequence={`No task of ${key} starts until it is resumed. ${underWay(inFlight)}; ${waits} and new ones go on waiting.`}
          call={call('POST /api/flows/:key/pause', { key }, { subject })}
          fields={<PauseFields />}
          body={pauseIn}
          onDone={onChanged}
        />
      )}
      <Act
        label="Set limits"
        consequence={`They hold for the next call of ${key}, whatever its tasks say. What stays empty has no limit.`}
        call={call('PUT /api/flows/:key', { key }, { subject })}
        fields={
          <div class="filters">
            <Limit label="Calls at a time" name="concurrency" value={concurrency} />
            <Limit label="Calls in a period" name="rate" value={rate} />
            <Limit label="Period, seconds" name="periodSeconds" value={periodSeconds} step="any" />
          </div>
        }
        body={limitsIn}
        onDone={onChanged}
      />
    </div>
  );
}

interface LimitProps {
  readonly label: string;
  readonly name: keyof z.infer<typeof FlowBodySchema>;
  readonly value: number | undefined;
  readonly step?: string;
}

function Limit({ label, name, value, step = '1' }: LimitProps) {
  return (
    <label>
      {label}
      <input
        class="short"
        type="number"
        name={name}
        min={step === 'any' ? '0.001' : '1'}
        step={step}
        defaultValue={value}
      />
    </label>
  );
}

function limitsIn(fields: FormData): z.infer<typeof FlowBodySchema> {
  const number = (name: LimitProps['name']) => {
    const text = textIn(fields, name);
    return text === undefined ? undefined : Number(text);
  };
  return { concurrency: number('concurrency'), rate: number('rate'), periodSeconds: number('periodSeconds') };
}

function limitText({ concurrency, rate, periodSeconds = DEFAULT_PERIOD_SECONDS }: Flow): string {
  const limits = [
    ...(concurrency === undefined ? [] : [`${count(concurrency)} at a time`]),
    ...(rate === undefined ? [] : [`${count(rate)} in ${duration(periodSeconds * 1000)}`]),
  ];
  return limits.length === 0 ? 'none' : limits.join(', ');
}

/** In a list of everybody's flows an owner that is long or odd is shortened, and the API knows it by its whole name. */
function isShortened({ subject }: Flow): boolean {
  return subject.includes('~');
}

function Elsewhere() {
  return (
    <span class="quiet">
      Its owner’s name is shortened here: act with the whole one at <a href="/docs">/docs</a>.
    </span>
  );
}
