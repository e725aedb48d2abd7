/**
 * A leader's probe of the agents of its cluster. The probed agent is named in a header by the id that
 * the coordinator gave it: an agent answers only to its own id, so an address that meanwhile belongs to
 * another one is not taken for a sign of life, and a stranger's request is no probe of the leader.
 */
import pRetry from 'p-retry';
import type { Member, Seen } from './state.ts';

export const MEMBER_HEADER = 'tasklane-member';
/** The leader's last probe: another one may lead. */
export const LEAVE_NOTICE_HEADER = 'tasklane-leader-leaves';

const PROBE_TIMEOUT_MS = 2_000;
/** A lost packet is no dead server. */
const PROBE_RETRIES = 1;
const PROBE_RETRY_MS = 100;
const PROBES_AT_ONCE = 32;

/** @returns by id, whether the member answered; those without an agent's address are left out */
export async function probeMembers(members: readonly Member[]): Promise<ReadonlyMap<string, boolean>> {
  const found = new Map<string, boolean>();
  const waiting = [...members];
  const worker = async () => {
    for (let member = waiting.shift(); member !== undefined; member = waiting.shift()) {
      const { id, agentUrl } = member;
      if (agentUrl !== undefined) found.set(id, await isUp(agentUrl, id));
    }
  };
  await Promise.all(Array.from({ length: PROBES_AT_ONCE }, worker));
  return found;
}

/** Tells the members that this leader leaves; a member that does not get it notices when no probe comes. */
export async function sendLeaveNotices(members: readonly Member[]): Promise<void> {
  const notices = members.flatMap(({ id, agentUrl }) =>
    agentUrl === undefined ? [] : [probe(agentUrl, id, { [LEAVE_NOTICE_HEADER]: 'yes' })],
  );
  await Promise.allSettled(notices);
}

async function isUp(agentUrl: string, id: string): Promise<boolean> {
  try {
    await pRetry(() => probe(agentUrl, id), { retries: PROBE_RETRIES, minTimeout: PROBE_RETRY_MS });
    return true;
  } catch {
    return false;
  }
}

async function probe(agentUrl: string, id: string, more: Readonly<Record<string, string>> = {}): Promise<void> {
  const response = await fetch(agentUrl, {
    headers: { ...more, [MEMBER_HEADER]: id },
    redirect: 'manual',
    signal: AbortSignal.timeout(PROBE_TIMEOUT_MS),
  });
  await response.arrayBuffer();
  if (!response.ok) throw new Error(`answers ${response.status}`);
}

/** How the members are seen after a round of probes. Pure. */
export function seenAfter(before: Seen, probes: ReadonlyMap<string, boolean>): Seen {
  return Object.fromEntries(
    [...probes].map(([id, up]) => {
      const reached = before[id] === 'up' || before[id] === 'down';
      return [id, up ? 'up' : reached ? 'down' : 'never'];
    }),
  );
}

/** What a leader reports of its members. Pure. */
export function reportOf(seen: Seen): { readonly id: string; readonly up: boolean }[] {
  return Object.entries(seen).flatMap(([id, found]) => (found === 'never' ? [] : [{ id, up: found === 'up' }]));
}
