/** A backend that takes and gives large bodies, and says what it got by its hash: bodies are compared, never held by tests. */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';

export interface Digest {
  readonly bytes: number;
  readonly sha256: string;
}

/** Bytes that repeat nowhere near a piece's size, so that a piece in the wrong place changes the hash. */
export function* pseudoRandom(bytes: number, seed = 1): Generator<Buffer> {
  const piece = Buffer.alloc(64 * 1024);
  let state = seed;
  for (let left = bytes; left > 0; left -= piece.length) {
    for (let at = 0; at < piece.length; at += 4) {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      piece.writeUInt32LE(state, at);
    }
    yield Buffer.from(piece.subarray(0, Math.min(left, piece.length)));
  }
}

export async function digestOf(pieces: Iterable<Buffer> | AsyncIterable<Uint8Array>): Promise<Digest> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const piece of pieces) {
    hash.update(piece);
    bytes += piece.length;
  }
  return { bytes, sha256: hash.digest('hex') };
}

export interface LargeBodyBackend extends AsyncDisposable {
  readonly url: string;
  /** What requests carried, by path. */
  readonly seen: Map<string, { readonly headers: IncomingMessage['headers']; readonly body: Digest }>;
  /** What `/secret` answers. */
  secretAnswer: (key: string) => Iterable<Buffer>;
}

export async function startLargeBodyBackend(): Promise<LargeBodyBackend> {
  const seen: LargeBodyBackend['seen'] = new Map();
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const url = new URL(request.url ?? '', 'http://backend');
    const bytes = Number(url.searchParams.get('bytes') ?? 0);
    if (url.pathname === '/echo') {
      response.writeHead(200, { 'content-type': request.headers['content-type'] ?? 'text/plain' });
      request.pipe(response);
      return;
    }
    seen.set(url.pathname, { headers: request.headers, body: await digestOf(request) });
    if (url.pathname === '/give') {
      response.writeHead(200, { 'content-type': 'application/pdf' });
      Readable.from(pseudoRandom(bytes)).pipe(response);
    } else if (url.pathname === '/secret') {
      response.writeHead(200, { 'content-type': 'text/plain' });
      const key = String(request.headers.authorization).replace('Bearer ', '');
      Readable.from(backend.secretAnswer(key)).pipe(response);
    } else if (url.pathname === '/later') {
      response.writeHead(202).end();
      await workLater(request.headers, url.searchParams.get('by') ?? 'put', bytes);
    } else {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ type: request.headers['content-type'], ...seen.get(url.pathname)?.body }));
    }
  };
  /** Fetches the payload by its link and reports a result of so many bytes. */
  const workLater = async (headers: IncomingMessage['headers'], by: string, bytes: number) => {
    const link = headers['task-payload-url'];
    if (typeof link === 'string') {
      const payload = await fetch(link);
      seen.set('/later/payload', {
        headers: Object.fromEntries(payload.headers),
        body: await digestOf(payload.body ?? Readable.from([])),
      });
    }
    const callback = String(headers['task-callback-url']);
    const key = String(headers.authorization).replace('Bearer ', '');
    const authorization = `Bearer ${String(headers['task-callback-token'])}`;
    const type = { 'content-type': 'application/pdf' };
    const stream = (size: number, seed?: number) => ({
      body: Readable.toWeb(Readable.from(pseudoRandom(size, seed))) as unknown as ReadableStream,
      duplex: 'half' as const,
    });
    if (by === 'secret') {
      const body = Readable.toWeb(Readable.from(backend.secretAnswer(key))) as unknown as ReadableStream;
      const type = { 'content-type': 'text/plain' };
      await fetch(`${callback}/result`, {
        method: 'PUT',
        headers: { authorization, ...type },
        body,
        duplex: 'half',
      } as RequestInit);
      return;
    }
    if (by === 'json') {
      const result = [...backend.secretAnswer(key)].map((piece) => piece.toString()).join('');
      const body = JSON.stringify({ result, status: 'succeeded' });
      await fetch(callback, { method: 'PUT', headers: { authorization, 'content-type': 'application/json' }, body });
      return;
    }
    if (by === 'put') {
      const length = { 'content-length': String(bytes) };
      await fetch(`${callback}/result`, {
        method: 'PUT',
        headers: { authorization, ...type, ...length },
        ...stream(bytes),
      } as RequestInit);
      return;
    }
    const json = { authorization, 'content-type': 'application/json' };
    const upload = (await (
      await fetch(`${callback}/result/uploads`, {
        method: 'POST',
        headers: json,
        body: JSON.stringify({ bytes, contentType: 'application/pdf' }),
      })
    ).json()) as { id: string; url: string };
    await fetch(upload.url, {
      method: 'PUT',
      headers: { 'content-length': String(bytes) },
      ...stream(bytes),
    } as RequestInit);
    const body = JSON.stringify({ status: 'succeeded', resultUpload: upload.id });
    await fetch(callback, { method: 'PUT', headers: json, body });
  };
  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const backend: LargeBodyBackend = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    secretAnswer: () => [],
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return backend;
}
