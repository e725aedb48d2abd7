/** A backend on raw sockets: what it answers, byte by byte and with pauses, is a script named by the path. */

import type { AddressInfo } from 'node:net';
import { createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export interface RawRequest {
  readonly method: string;
  readonly target: string;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

export type Step = string | Uint8Array | 'reset' | { readonly pauseMs: number };

export interface Script {
  /** What goes out when the request has been read; the connection ends after it, unless it was reset. */
  readonly steps: (request: RawRequest) => readonly Step[];
}

export interface RawBackend {
  readonly url: string;
  readonly seen: RawRequest[];
  stop(): Promise<void>;
}

/** @param scriptOf the script for a request, by its path */
export async function startRawBackend(scriptOf: (request: RawRequest) => Script | undefined): Promise<RawBackend> {
  const seen: RawRequest[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    let received = '';
    socket.on('data', async (chunk) => {
      received += chunk.toString('latin1');
      const request = requestIn(received);
      if (request === undefined) return;
      received = '';
      seen.push(request);
      const script = scriptOf(request);
      await play(socket, script?.steps(request) ?? ['HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n']);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    stop() {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

async function play(socket: Socket, steps: readonly Step[]): Promise<void> {
  for (const step of steps) {
    if (step === 'reset') return void socket.resetAndDestroy();
    if (typeof step === 'string') socket.write(Buffer.from(step, 'latin1'));
    else if (step instanceof Uint8Array) socket.write(step);
    else await sleep(step.pauseMs);
  }
  socket.end();
}

function requestIn(text: string): RawRequest | undefined {
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const [line = '', ...fields] = text.slice(0, end).split('\r\n');
  const headers = new Map(
    fields.map((field) => [
      field.slice(0, field.indexOf(':')).toLowerCase(),
      field.slice(field.indexOf(':') + 1).trim(),
    ]),
  );
  const rest = text.slice(end + 4);
  const isChunked = headers.get('transfer-encoding') === 'chunked';
  if (isChunked ? !rest.endsWith('0\r\n\r\n') : rest.length < Number(headers.get('content-length') ?? 0))
    return undefined;
  const [method = '', target = ''] = line.split(' ');
  return { method, target, headers, body: rest };
}

/** An answer with its length. */
export function answer(
  status: number,
  headers: Readonly<Record<string, string>>,
  body: string | Uint8Array = '',
): Step[] {
  const bytes = typeof body === 'string' ? Buffer.from(body, 'utf8') : body;
  const fields = Object.entries({ 'content-length': String(bytes.length), ...headers });
  const head = fields.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  return [`HTTP/1.1 ${status} Told\r\n${head}\r\n`, bytes];
}

/** The same in chunks, as many as there are pieces. */
export function chunked(
  status: number,
  headers: Readonly<Record<string, string>>,
  pieces: readonly (string | Uint8Array)[],
  isWhole = true,
): Step[] {
  const head = Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('');
  const chunks = pieces.flatMap((piece): Step[] => {
    const bytes = typeof piece === 'string' ? Buffer.from(piece, 'utf8') : piece;
    return [`${bytes.length.toString(16)}\r\n`, bytes, '\r\n', { pauseMs: 5 }];
  });
  return [
    `HTTP/1.1 ${status} Told\r\nTransfer-Encoding: chunked\r\n${head}\r\n`,
    ...chunks,
    ...(isWhole ? ['0\r\n\r\n'] : (['reset'] as const)),
  ];
}
