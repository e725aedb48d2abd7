/** Who is told of alerts, from when on something is wrong, and until when nobody is told. */
import { useRef, useState } from 'preact/hooks';
import type { z } from 'zod';
import type {
  AlertSettingsAnswerSchema,
  AlertSettingsBodySchema,
  AlertsSchema,
  AlertTestSchema,
} from '../../producer/schema/alert.ts';
import { ALERT_KINDS, ALERT_UNITS, DEFAULT_THRESHOLDS } from '../../producer/schema/alert-kinds.ts';
import { useTools } from '../live.ts';
import { call } from '../operation.ts';
import { Act } from '../parts/act.tsx';
import { Panel } from '../parts/panel.tsx';
import { Scroll } from '../parts/scroll.tsx';
import { textIn } from '../parts/task-filter.tsx';
import { Time } from '../parts/time.tsx';
import { alertTitle, silencedText } from '../words.ts';

type Alerts = z.infer<typeof AlertsSchema>;
type Settings = Alerts['settings'];

interface SettingsProps {
  readonly settings: Settings;
  readonly onChanged: () => void;
}

export function AlertSettings({ data: { settings, unsent }, onChanged }: { data: Alerts; onChanged: () => void }) {
  const { may } = useTools();
  const [secrets, setSecrets] = useState<readonly string[]>([]);
  return (
    <>
      <Panel title="Who is told">
        <Receiver settings={settings} unsent={unsent} onChanged={onChanged} />
        {settings.url !== null && secrets.length > 0 && <Secrets secrets={secrets} />}
      </Panel>
      <Panel title="Silences">
        <Silences settings={settings} onChanged={onChanged} />
      </Panel>
      <Panel title="What is wrong, and from when on">
        {may('PUT /api/alerts/settings') ? (
          // What somebody else saved meanwhile is shown, and not overwritten unseen.
          <SettingsForm
            key={JSON.stringify(written(settings))}
            settings={settings}
            onSaved={({ signingSecrets }) => {
              setSecrets(signingSecrets);
              onChanged();
            }}
          />
        ) : (
          <Thresholds settings={settings} />
        )}
      </Panel>
    </>
  );
}

function Receiver({ settings, unsent, onChanged }: SettingsProps & { unsent: number }) {
  const { may } = useTools();
  const [said, setSaid] = useState<string>();
  const tested = (answer: z.infer<typeof AlertTestSchema>) => {
    setSaid(
      answer.delivered
        ? `Delivered: it answered ${answer.status}.`
        : `Not delivered: ${answer.why}. Look at the receiver, then send a test again.`,
    );
    onChanged();
  };
  if (settings.url === null) {
    return (
      <p>
        Nobody: alerts stand here and in the log alone.{' '}
        {may('PUT /api/alerts/settings') ? 'Name a receiver below' : 'An admin can name a receiver'}; it gets them as
        messages, signed as Standard Webhooks.
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
          call={call('POST /api/alerts/test', {})}
          onDone={tested}
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
  const { may } = useTools();
  const field = useRef<HTMLInputElement>(null);
  const silence = call('POST /api/alerts/silence', {});
  const until = () => new Date(field.current?.value ?? '');
  return (
    <>
      {Object.keys(silences).length === 0 && <p class="quiet">Nothing is silenced.</p>}
      {Object.entries(silences).map(([name, end]) => (
        <p class="row" key={name}>
          <span>
            Nobody is told of {silencedText(name)}; that ends <Time at={end} />.
          </span>
          <Act
            label={name === '*' ? 'End the silence of all' : `End the silence of ${silencedText(name)}`}
            consequence="Whoever receives alerts is told again, of what fires at the next look."
            call={silence}
            body={{ alert: name, until: null }}
            onDone={onChanged}
          />
        </p>
      ))}
      {may('POST /api/alerts/silence') && (
        <form class="filters" onSubmit={(event) => event.preventDefault()}>
          <label>
            Tell nobody of any alert until
            <input ref={field} type="datetime-local" required min={localTime(Date.now())} />
          </label>
          <Act
            label="Silence all"
            isReady={() => field.current?.reportValidity() === true}
            consequence={() =>
              `Nobody is told of any alert until ${until().toLocaleString()}. They stand here; what still fires then is told.`
            }
            call={silence}
            body={() => ({ alert: '*', until: until().toISOString() })}
            onDone={onChanged}
          />
        </form>
      )}
    </>
  );
}

/** Shown once, to whoever may change them: what a receiver knows Tasklane's messages by. */
function Secrets({ secrets }: { secrets: readonly string[] }) {
  return (
    <div class="notice">
      <p>
        Saved. The receiver verifies <code>webhook-signature</code> with{' '}
        {secrets.length === 1 ? 'this secret' : 'these secrets, the current one first'}; it is not shown again here.
      </p>
      {secrets.map((secret) => (
        <code key={secret}>{secret}</code>
      ))}
    </div>
  );
}

/** As a field of the kind `datetime-local` has it. */
function localTime(at: number): string {
  const time = new Date(at);
  return new Date(at - time.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

interface FormProps {
  readonly settings: Settings;
  readonly onSaved: (answer: z.infer<typeof AlertSettingsAnswerSchema>) => void;
}

function SettingsForm({ settings, onSaved }: FormProps) {
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
          call={call('PUT /api/alerts/settings', {})}
          body={wanted}
          onDone={onSaved}
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
            <th>Unit</th>
          </tr>
        </thead>
        <tbody>
          {ALERT_KINDS.map((kind) => {
            const isWatched = !off.includes(kind);
            const from = thresholds[kind] ?? DEFAULT_THRESHOLDS[kind];
            return (
              <tr key={kind}>
                <td>{alertTitle(kind)}</td>
                <td>
                  {isForm ? (
                    <input
                      type="checkbox"
                      name="watched"
                      value={kind}
                      defaultChecked={isWatched}
                      aria-label={`Watch: ${alertTitle(kind)}`}
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
                      aria-label={`From: ${alertTitle(kind)}`}
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
    off.length === 0 ? 'Everything is watched' : `Not watched: ${off.map((kind) => alertTitle(kind)).join(', ')}`;
  return `${where}, once something has been wrong for ${raiseAfterMinutes} min and right for ${clearAfterMinutes} min. ${unwatched}. It holds from the next look on, within a minute.`;
}
