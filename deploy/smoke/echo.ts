/**
 * The backend that a smoke test calls: a Worker of its own at the account's workers.dev, which answers as late as it is
 * asked to and says when it was called. Made for the test and removed after it.
 */
import type { CloudflareApi } from '../account/api.ts';
import { deleteWorker, setAddress, uploadWorker } from '../apply/workers.ts';

const SOURCE = `export default {
  async fetch(request) {
    const calledAt = Date.now();
    await scheduler.wait(Number(new URL(request.url).searchParams.get('ms') ?? 0));
    return Response.json({ calledAt, answeredAt: Date.now(), authorization: request.headers.has('authorization') });
  },
};
`;

const MAIN = 'echo.js';

/** @returns its address, at which it may take a while to answer */
export async function createEcho(api: CloudflareApi, name: string, subdomain: string): Promise<string> {
  const file = new File([SOURCE], MAIN, { type: 'application/javascript+module' });
  await uploadWorker(api, name, undefined, () => ({
    metadata: {
      main_module: MAIN,
      bindings: [],
      compatibility_date: '2026-10-20',
      compatibility_flags: [],
      keep_bindings: [],
      annotations: { 'workers/tag': 'tasklane-smoke' },
      observability: { enabled: true },
    },
    files: [{ name: MAIN, file }],
  }));
  await setAddress(api, name, true, false);
  return `https://${name}.${subdomain}.workers.dev`;
}

export function removeEcho(api: CloudflareApi, name: string): Promise<void> {
  return deleteWorker(api, name);
}
