/**
 * The example provider as a program of its own. With a parent that listens it says over IPC where it
 * stands, and goes when the parent goes, however that ends.
 */
import { parseOptions } from '../../terminal/options.ts';
import { type AccountOptions, WINDOW_KINDS } from './account.ts';
import { HEADER_STYLES, type HeaderStyle, startProvider } from './server.ts';

const HELP = `The example provider: an API with keys and limits, to try key pools with.

  node examples/provider/main.ts [--port 8789] [--limit 60]
      [--window-seconds 60] [--kind sliding] [--quota N] [--headers none]
      [--latency-ms 0]

  --limit N            requests that a key may make in a window
  --window-seconds S   how long a window is
  --kind K             ${WINDOW_KINDS.join(', ')}
  --quota N            requests that a key may make at all
  --headers H          what is told of limits: ${HEADER_STYLES.join(', ')}
  REVOKED_KEYS=a,b     keys that are refused (in the environment: command lines
                       are seen by others)

  POST /v1/chat/completions    as OpenAI's, streaming or not
  POST /v1beta/models/<model>:generateContent
                               as Google's, also :streamGenerateContent;
                               x-goog-api-key
  /echo, /echo-error           the request, the key included
  /forbidden                   403, whatever the key
  GET /_log                    requests by key (a hash of it): admitted,
                               limited, refused
  POST /_reset                 forgets them`;

function readOptions() {
  const { values } = parseOptions({
    options: {
      port: { type: 'string', default: '8789' },
      limit: { type: 'string', default: '60' },
      'window-seconds': { type: 'string', default: '60' },
      kind: { type: 'string', default: 'sliding' },
      quota: { type: 'string', default: 'Infinity' },
      headers: { type: 'string', default: 'none' },
      'latency-ms': { type: 'string', default: '0' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    console.log(HELP);
    process.exit(0);
  }
  return {
    port: numberOf('port', values.port),
    limit: numberOf('limit', values.limit),
    windowMs: numberOf('window-seconds', values['window-seconds']) * 1000,
    kind: oneOf('kind', values.kind, WINDOW_KINDS) satisfies AccountOptions['kind'],
    quota: numberOf('quota', values.quota),
    headers: oneOf('headers', values.headers, HEADER_STYLES) satisfies HeaderStyle,
    latencyMs: numberOf('latency-ms', values['latency-ms']),
    revoked: (process.env.REVOKED_KEYS ?? '').split(',').filter((key) => key !== ''),
  };
}

function numberOf(name: string, text: string): number {
  const value = Number(text);
  if (!(value >= 0)) throw new Error(`--${name} is a number, not ${JSON.stringify(text)}`);
  return value;
}

function oneOf<Choice extends string>(name: string, text: string, choices: readonly Choice[]): Choice {
  const choice = choices.find((each) => each === text);
  if (choice === undefined) throw new Error(`--${name} is one of ${choices.join(', ')}`);
  return choice;
}

try {
  const provider = await startProvider(readOptions());
  const stop = () => void provider.stop().then(() => process.exit(0));
  process.once('SIGTERM', stop);
  if (process.send === undefined) {
    process.once('SIGINT', stop);
    console.log(`The example provider listens on ${provider.url}`);
  } else {
    process.on('disconnect', () => process.exit(0));
    // Ctrl-C reaches the whole group; the parent decides when this one goes.
    process.on('SIGINT', () => {});
    process.send({ listening: provider.url });
  }
} catch (error) {
  console.error((error as Error).message);
  process.exit(1);
}
