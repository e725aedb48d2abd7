/**
 * The example backend as a program of its own. With a parent that listens (`npm start`, tests) it says
 * over IPC where it stands, and goes when the parent goes, however that ends.
 */
import { parseOptions } from '../../terminal/options.ts';
import { startBackend } from './server.ts';

const HELP = `The example backend: routes to try Tasklane with.

  node examples/backend/main.ts [--port 8788]

  /quick                     answers at once
  /slow?ms=1500              answers late
  /flaky?failures=2          fails the first calls of each task, then works
  /broken                    422, always
  /busy?refusals=1           429 with Retry-After, the first calls of each task
  /closed?seconds=2          429 with Retry-After, all calls for so long
  /async?ms=2000             202, then progress and the result by callback
  /random?failRate=0.1       500, 503 or a broken connection, by chance
  /echo                      the request
  GET /_log                  calls and successes by Idempotency-Key
  POST /_reset               forgets them`;

function readPort(): number {
  const { values } = parseOptions({
    options: { port: { type: 'string', default: '8788' }, help: { type: 'boolean', short: 'h', default: false } },
  });
  if (values.help) {
    console.log(HELP);
    process.exit(0);
  }
  const port = Number(values.port);
  if (!/^\d+$/.test(values.port) || port > 65_535) throw new Error('--port is a number from 0 to 65535');
  return port;
}

try {
  const backend = await startBackend(readPort());
  const stop = () => void backend.stop().then(() => process.exit(0));
  process.once('SIGTERM', stop);
  if (process.send === undefined) {
    process.once('SIGINT', stop);
    console.log(`The example backend listens on ${backend.url}`);
  } else {
    process.on('disconnect', () => process.exit(0));
    // Ctrl-C reaches the whole group; the parent decides when this one goes.
    process.on('SIGINT', () => {});
    process.send({ listening: backend.url });
  }
} catch (error) {
  console.error((error as Error).message);
  process.exit(1);
}
