/** Looks at the local services: `GET` on the health path of each, all at once. */
import type { LocalService } from './config.ts';
import { type ProbeResult, readVersion } from './probe-result.ts';
import { reasonOf } from './reason.ts';

const PROBE_TIMEOUT_MS = 3_000;

export function probeServices(services: readonly LocalService[]): Promise<ProbeResult[]> {
  return Promise.all(services.map(probe));
}

async function probe({ name, localUrl, healthPath, version }: LocalService): Promise<ProbeResult> {
  try {
    const response = await fetch(localUrl + healthPath, {
      redirect: 'manual',
      signal: AbortSignal.timeout(PROBE_TIMEOUT_MS),
    });
    const body = await response.text();
    if (!response.ok)
      return { name, kind: 'fails', status: response.status, why: `answers ${response.status} at ${healthPath}` };
    const header = (wanted: string) => response.headers.get(wanted);
    return { name, kind: 'answers', version: readVersion(version, header, body) };
  } catch (error) {
    const why = reasonOf(error);
    return { name, kind: why.includes('ECONNREFUSED') ? 'refuses' : 'fails', why };
  }
}
