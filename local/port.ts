/** The port of the local run, checked before anything slow starts. */
import { createServer } from 'node:net';
import { LaunchError } from '../terminal/launch-error.ts';

export const LOCAL_HOST = '127.0.0.1';

/** A run that was killed lets go of its port a moment later. */
const TRIES = 5;
const BETWEEN_TRIES_MS = 200;

/**
 * @param wanted 0 for any free one
 * @returns a port that is free now
 * @throws LaunchError when `wanted` is taken or may not be used
 */
export async function freePort(wanted: number): Promise<number> {
  for (let tries = 1; tries < TRIES; tries++) {
    try {
      return await tryPort(wanted);
    } catch {
      await new Promise((resolve) => setTimeout(resolve, BETWEEN_TRIES_MS));
    }
  }
  return tryPort(wanted);
}

function tryPort(wanted: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => reject(new LaunchError(portProblem(wanted, error))));
    server.listen(wanted, LOCAL_HOST, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : wanted));
    });
  });
}

export function portProblem(port: number, error: NodeJS.ErrnoException): string {
  if (error.code === 'EADDRINUSE') return `port ${port} is in use; choose another with PORT=<number>`;
  if (error.code === 'EACCES') return `port ${port} needs more rights; choose one above 1023 with PORT=<number>`;
  return `port ${port} cannot be used: ${error.message}`;
}
