/** Who is told of alerts, from when on something is wrong, and until when nobody is told. */
import { useRef, useState } from 'preact/hooks';
import type { z } from 'zod';
import type { AlertSettingsBodySchema, AlertsSchema, AlertTestSchema } from '../../producer/schema/alert.ts';
import { ALERT_KINDS, ALERT_UNITS, DEFAULT_THRESHOLDS } from '../../producer/schema/alert-kinds.ts';
import { useTools } from '../live.ts';
import { Act } from '../parts/act.tsx';
import { Panel } from '../parts/panel.tsx';
import { Scroll } from '../parts/scroll.tsx';
import { textIn } from '../parts/task-filter.tsx';
import { Time } from '../parts/time.tsx';
import { ALERT_TITLES } from '../words.ts';

type Alerts = z.infer<typeof AlertsSchema>;
type Settings = Alerts['settings'];

interface SettingsProps {
  readonly settings: Settings;
  readonly onChanged: () => void;
}

export function AlertSettings({ data: { settings, unsent }, onChanged }: { data: Alerts; onChanged: () => void }) {
  const { session } = useTools();
  return (
    <>
      <Panel title="Who is told">
        <Receiver settings={settings} unsent={unsent} onChanged={onChanged} />
      </Panel>
      <Panel title="Silences">
        <Silences settings={settings} onChanged={onChanged} />
      </Panel>
      <Panel title="What is wrong, and from when on">
        {session.role === 'admin' ? (
          // What somebody else saved meanwhile is shown, and not overwritten unseen.
          <SettingsForm key={JSON.stringify(written(settings))} settings={settings} onChanged={onChanged} />
        ) : (
          <Thresholds settings={settings} />
        )}
      </Panel>
    </>
  );
}

function Receiver({ settings, unsent, onChanged }: SettingsProps & { unsent: number }) {
  const { api } = useTools();
  const [said, setSaid] = useState<string>();
  const test = async () => {
    const answer = await api.send<z.infer<typeof AlertTestSchema>>('POST', '/api/alerts/test');
    setSaid(answer.delivered ? `Delivered: it answered ${answer.status}.` : `Not delivered: ${answer.why}.`);
  };
  if (settings.url === null) {
    return (
      <p>
        Nobody: alerts stand here and in the log alone. A receiver gets them as messages, signed as Standard Webhooks.
      </p>
    );
  }
  return (
    <>
      <dl>
        <dt>Receiver</dt>
        <dd>
          <code>{settings.url}</code>
        </dd>
        <dt>Tested</dt>
        <dd>{settings.testedAt === undefined ? 'not yet' : <Time at={settings.testedAt} />}</dd>
        <dt>Not taken yet</dt>
        <dd>
          {unsent} {unsent === 1 ? 'message' : 'messages'}
        </dd>
      </dl>
      <div class="row">
        <Act
          label="Send a test"
          consequence={`A test message goes to ${settings.url} now.`}
          run={test}
          onDone={onChanged}
        />
      </div>
      {said !== undefined && (
        <p class="notice" role="status">
          {said}
        </p>
      )}
    </>
  );
}

function Silences({ settings: { silences }, onChanged }: SettingsProps) {
  const { api, session } = useTools();
  const field = useRef<HTMLInputElement>(null);
  const silence = (alert: string, until: string | null) => api.send('POST', '/api/alerts/silence', { alert, until });
  const until = () => new Date(field.current?.value ?? '');
  return (
    <>
      {Object.keys(silences).length === 0 && <p class="quiet">Nothing is silenced.</p>}
      {Object.entries(silences).map(([name, end]) => (
        <p class="row" key={name}>
          <span>
            {name === '*' ? 'All alerts' : <code>{name}</code>}: nobody is told, ends <Time at={end} />.
          </span>
          <Act
            label={name === '*' ? 'End the silence of all' : `End the silence of ${name}`}
            consequence="Whoever receives alerts is told again, of what fires at the next look."
            run={() => silence(name, null)}
            onDone={onChanged}
          />
        </p>
      ))}
      {session.role === 'admin' && (
        <form class="filters" onSubmit={(event) => event.preventDefault()}>
          <label>
            Tell nobody of any alert until
            <input ref={field} type="datetime-local" required />
          </label>
          <Act
            label="Silence all"
            isReady={() => field.current?.reportValidity() === true}
            consequence={() =>
              `Nobody is told of any alert until ${until().toLocaleString()}. They stand here; what still fires then is told.`
            }
            run={() => silence('*', until().toISOString())}
            onDone={onChanged}
          />
        </form>
      )}
    </>
  );
}

function SettingsForm({ settings, onChanged }: SettingsProps) {
  const { api } = useTools();
  const form = useRef<HTMLFormElement>(null);
  const wanted = () => settingsIn(new FormData(form.current ?? undefined));
  return (
    <form ref={form} onSubmit={(event) => event.preventDefault()}>
      <div class="filters">
        <label class="wide">
          Receiver
          <input
            name="url"
            type="url"
            defaultValue={settings.url ?? ''}
            placeholder="https://hooks.example.com/tasklane"
          />
        </label>
        <label>
          Fires after, minutes
          <input name="raise" type="number" min="0" max="1440" required defaultValue={settings.raiseAfterMinutes} />
        </label>
        <label>
          Ends after, minutes
          <input name="clear" type="number" min="0" max="1440" required defaultValue={settings.clearAfterMinutes} />
        </label>
      </div>
      <Thresholds settings={settings} isForm />
      <p class="row">
        <Act
          label="Save"
          isReady={() => form.current?.reportValidity() === true}
          consequence={() => consequenceOf(settings, wanted())}
          run={() => api.send('PUT', '/api/alerts/settings', wanted())}
          onDone={onChanged}
        />
      </p>
    </form>
  );
}

function Thresholds({ settings: { thresholds, off }, isForm = false }: { settings: Settings; isForm?: boolean }) {
  return (
    <Scroll label="Thresholds">
      <table>
        <thead>
          <tr>
            <th>Alert</th>
            <th>Watched</th>
            <th>From</th>
            <th>Of</th>
          </tr>
        </thead>
        <tbody>
          {ALERT_KINDS.map((kind) => {
            const isWatched = !off.includes(kind);
            const from = thresholds[kind] ?? DEFAULT_THRESHOLDS[kind];
            return (
              <tr key={kind}>
                <td>{ALERT_TITLES[kind]}</td>
                <td>
                  {isForm ? (
                    <input
                      type="checkbox"
                      name="watched"
                      value={kind}
                      defaultChecked={isWatched}
                      aria-label={`Watch: ${ALERT_TITLES[kind]}`}
                    />
                  ) : isWatched ? (
                    'yes'
                  ) : (
                    'no'
                  )}
                </td>
                <td>
                  {isForm ? (
                    <input
                      class="short"
                      type="number"
                      name={kind}
                      min="0"
                      step="any"
                      required
                      defaultValue={from}
                      aria-label={`From: ${ALERT_TITLES[kind]}`}
                    />
                  ) : (
                    from
                  )}
                </td>
                <td>{ALERT_UNITS[kind]}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </Scroll>
  );
}

type Written = z.output<typeof AlertSettingsBodySchema>;

/** What a form replaces. */
function written({ url, thresholds, off, raiseAfterMinutes, clearAfterMinutes }: Settings): Written {
  return { url, thresholds, off, raiseAfterMinutes, clearAfterMinutes };
}

/** A threshold that is the default's is not written: it follows the default of later releases. */
function settingsIn(form: FormData): Written {
  const watched = form.getAll('watched');
  const changed = ALERT_KINDS.flatMap((kind) => {
    const from = Number(textIn(form, kind));
    return from > 0 && from !== DEFAULT_THRESHOLDS[kind] ? [[kind, from] as const] : [];
  });
  return {
    url: textIn(form, 'url') ?? null,
    thresholds: Object.fromEntries(changed),
    off: ALERT_KINDS.filter((kind) => !watched.includes(kind)),
    raiseAfterMinutes: Number(textIn(form, 'raise')),
    clearAfterMinutes: Number(textIn(form, 'clear')),
  };
}

function consequenceOf(before: Settings, { url, off, raiseAfterMinutes, clearAfterMinutes }: Written): string {
  const told = url === null ? 'Nobody is told of alerts' : `Alerts go to ${url}`;
  const where = url === before.url ? told : `${told} from now on`;
  const unwatched =
    off.length === 0 ? 'Everything is watched' : `Not watched: ${off.map((kind) => ALERT_TITLES[kind]).join(', ')}`;
  return `${where}, once something has been wrong for ${raiseAfterMinutes} min and right for ${clearAfterMinutes} min. ${unwatched}. It holds from the next look on, within a minute.`;
}
