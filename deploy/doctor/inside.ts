/** What a deployment says of itself, and whether two of them share a secret. */
import * as z from 'zod';
import { DeployError } from '../deploy-error.ts';
import { type DoctorFinding, finding } from './finding.ts';
import type { Ask } from './outside.ts';

const ChecklistSchema = z.looseObject({
  items: z.array(
    z.looseObject({
      item: z.string(),
      state: z.enum(['ok', 'missing', 'unknown']),
      says: z.string(),
      remedy: z.string().optional(),
    }),
  ),
  secrets: z.array(z.looseObject({ name: z.string(), fingerprint: z.string().optional() })),
});
export type Checklist = z.output<typeof ChecklistSchema>;

/** @throws DeployError when the deployment does not answer, or the token is not good there */
export async function readChecklist(url: string, token: string, ask: Ask): Promise<Checklist> {
  const response = await ask(`${url}/api/checklist`, { headers: { authorization: `Bearer ${token}` } });
  if (response.ok) return ChecklistSchema.parse(await response.json());
  throw new DeployError(
    `${url}/api/checklist answered ${response.status}: the token must be of an admin or a viewer there`,
  );
}

export function compareSecrets(one: Checklist, other: Checklist, otherUrl: string): DoctorFinding {
  const names = new Map(other.secrets.flatMap(({ name, fingerprint }) => (fingerprint ? [[fingerprint, name]] : [])));
  const shared = one.secrets.flatMap(({ name, fingerprint }) => {
    const there = fingerprint === undefined ? undefined : names.get(fingerprint);
    return there === undefined ? [] : [there === name ? name : `${name} (there ${there})`];
  });
  return finding(
    'environments-apart',
    shared.length === 0,
    shared.length === 0 ? `no secret is the same at ${otherUrl}` : `the same at ${otherUrl}: ${shared.join(', ')}`,
    'Give each environment secrets of its own: a token of one must not be good in the other.',
  );
}

export async function noteItem(url: string, token: string, item: string, note: string | undefined, ask: Ask) {
  const response = await ask(`${url}/api/checklist/${item}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify(note === undefined ? {} : { note }),
  });
  if (!response.ok) throw new DeployError(`noting ${item} was answered ${response.status}: ${await response.text()}`);
}
