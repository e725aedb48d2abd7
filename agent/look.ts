/** Looks at the local services: `GET` on the health path of each, all at once. */
import type { LocalService } from './config.ts';
import { reasonOf } from './reason.ts';
import { readVersion, type Sighting } from './sighting.ts';

const LOOK_TIMEOUT_MS = 3_000;

export function lookAtServices(services: readonly LocalService[]): Promise<Sighting[]> {
  return Promise.all(services.map(lookAt));
}

async function lookAt({ name, localUrl, healthPath, version }: LocalService): Promise<Sighting> {
  try {
    const response = await fetch(localUrl + healthPath, {
      redirect: 'manual',
      signal: AbortSignal.timeout(LOOK_TIMEOUT_MS),
    });
    const body = await response.text();
    if (!response.ok)
      return { name, is: 'fails', status: response.status, why: `answers ${response.status} at ${healthPath}` };
    const header = (wanted: string) => response.headers.get(wanted);
    return { name, is: 'answers', version: readVersion(version, header, body) };
  } catch (error) {
    const why = reasonOf(error);
    return { name, is: why.includes('ECONNREFUSED') ? 'refuses' : 'fails', why };
  }
}
