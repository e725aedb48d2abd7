/**
 * The example server as a program of its own. With a parent that listens it says over IPC where it
 * stands, and goes when the parent goes, however that ends.
 */
import { parseOptions } from '../../terminal/options.ts';
import { type Conduct, conductFrom, DEFAULT_CONDUCT } from './conduct.ts';
import { type ServerOptions, startServer } from './server.ts';

const HELP = `The example server: start it several times, each with an agent beside it.

  npm run example:server -- [--port 9001] [--name one] [--latency-ms 50]
      [--jitter-ms 10] [--fail-rate 0] [--version 1.0.0] [--linger-ms 1000]

  any path              works for the latency, then answers { server, version }
  GET /health           { version }; 503 once it was told to stop
  GET /_log             what it did: calls, failures, in flight
  POST /_set?latencyMs=500&failRate=0.1&version=2.0.0   changes its conduct

SIGTERM lets it finish: it ends when no call is under way and none came for
--linger-ms.
Agent configurations for it are in examples/server/agents/.`;

function readOptions(): ServerOptions {
  const { values } = parseOptions({
    options: {
      port: { type: 'string', default: '9001' },
      name: { type: 'string' },
      'latency-ms': { type: 'string' },
      'jitter-ms': { type: 'string' },
      'fail-rate': { type: 'string' },
      version: { type: 'string' },
      'linger-ms': { type: 'string', default: '1000' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    console.log(HELP);
    process.exit(0);
  }
  const inputs: Readonly<Record<keyof Conduct, string | undefined>> = {
    latencyMs: values['latency-ms'],
    jitterMs: values['jitter-ms'],
    failRate: values['fail-rate'],
    version: values.version,
  };
  const port = Number(values.port);
  if (!/^\d+$/.test(values.port) || port > 65_535) throw new Error('--port is a number from 0 to 65535');
  const lingerMs = Number(values['linger-ms']);
  if (!(lingerMs >= 0)) throw new Error('--linger-ms is a number');
  const conduct = conductFrom(DEFAULT_CONDUCT, (name) => inputs[name]);
  return { name: values.name ?? `server-${values.port}`, port, conduct, lingerMs };
}

try {
  const server = await startServer(readOptions());
  const stop = () => void server.finish().then(() => process.exit(0));
  process.once('SIGTERM', stop);
  if (process.send === undefined) {
    process.once('SIGINT', stop);
    console.log(`The example server listens on ${server.url}`);
  } else {
    process.on('disconnect', () => process.exit(0));
    // Ctrl-C reaches the whole group; the parent decides when this one goes.
    process.on('SIGINT', () => {});
    process.send({ listening: server.url });
  }
} catch (error) {
  console.error((error as Error).message);
  process.exit(1);
}
