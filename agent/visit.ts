/**
 * A leader's visit to the agents of its cluster. The visited agent is named in a header by the id that
 * the coordinator gave it: an agent answers only to its own id, so an address that meanwhile belongs to
 * another one is not taken for a sign of life, and a stranger's request is no visit.
 */
import pRetry from 'p-retry';
import type { Member, Seen } from './state.ts';

export const MEMBER_HEADER = 'tasklane-member';
/** The leader's last visit: another one may lead. */
export const FAREWELL_HEADER = 'tasklane-leader-leaves';

const VISIT_TIMEOUT_MS = 2_000;
/** A lost packet is no dead server. */
const VISIT_RETRIES = 1;
const VISIT_RETRY_MS = 100;
const VISITS_AT_ONCE = 32;

/** @returns by id, whether the member answered; those without an agent's address are left out */
export async function visitMembers(members: readonly Member[]): Promise<ReadonlyMap<string, boolean>> {
  const found = new Map<string, boolean>();
  const waiting = [...members];
  const visitor = async () => {
    for (let member = waiting.shift(); member !== undefined; member = waiting.shift()) {
      const { id, agentUrl } = member;
      if (agentUrl !== undefined) found.set(id, await isUp(agentUrl, id));
    }
  };
  await Promise.all(Array.from({ length: VISITS_AT_ONCE }, visitor));
  return found;
}

/** Tells the members that this leader leaves; who does not hear it notices by its silence. */
export async function sayFarewell(members: readonly Member[]): Promise<void> {
  const farewells = members.flatMap(({ id, agentUrl }) =>
    agentUrl === undefined ? [] : [visit(agentUrl, id, { [FAREWELL_HEADER]: 'yes' })],
  );
  await Promise.allSettled(farewells);
}

async function isUp(agentUrl: string, id: string): Promise<boolean> {
  try {
    await pRetry(() => visit(agentUrl, id), { retries: VISIT_RETRIES, minTimeout: VISIT_RETRY_MS });
    return true;
  } catch {
    return false;
  }
}

async function visit(agentUrl: string, id: string, more: Readonly<Record<string, string>> = {}): Promise<void> {
  const response = await fetch(agentUrl, {
    headers: { ...more, [MEMBER_HEADER]: id },
    redirect: 'manual',
    signal: AbortSignal.timeout(VISIT_TIMEOUT_MS),
  });
  await response.arrayBuffer();
  if (!response.ok) throw new Error(`answers ${response.status}`);
}

/** How the members are seen after a round of visits. Pure. */
export function seenAfter(before: Seen, visits: ReadonlyMap<string, boolean>): Seen {
  return Object.fromEntries(
    [...visits].map(([id, up]) => {
      const reached = before[id] === 'up' || before[id] === 'down';
      return [id, up ? 'up' : reached ? 'down' : 'never'];
    }),
  );
}

/** What a leader reports of its members. Pure. */
export function reportOf(seen: Seen): { readonly id: string; readonly up: boolean }[] {
  return Object.entries(seen).flatMap(([id, found]) => (found === 'never' ? [] : [{ id, up: found === 'up' }]));
}
