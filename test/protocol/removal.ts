/**
 * What a deploy does when there is a shard more or less (decision 0020): the queue of one that goes is waited for until it is
 * empty three times in a row; then its consumer is taken away, the queue looked at once more, and both are deleted.
 */
import { MINUTE_MS } from './clock.ts';
import type { House } from './house.ts';
import type { Letter } from './post.ts';

const QUEUE = 'tasks-1';
const POLL_MS = 5_000;
const QUIET_READS = 3;

export function followShards(house: House): void {
  if (house.consumers.release.keys.length > 1) house.post.closed.delete(QUEUE);
  if (house.consumers.isDraining) lookAfter(house, POLL_MS, 0);
}

function lookAfter(house: House, ms: number, quiet: number): void {
  house.plan(house.clock.now + ms, async () => {
    // Another deploy wants it again.
    if (!house.consumers.isDraining) return;
    const letters = [...house.post.letters].filter(({ queue }) => queue === QUEUE);
    if (letters.length > 0) lookAfter(house, pauseMs(letters, house.clock.now), 0);
    else if (quiet + 1 < QUIET_READS) lookAfter(house, POLL_MS, quiet + 1);
    else remove(house);
  });
}

/** Nobody looks at a clock that stands: the next letter of the queue is waited for at once. */
function pauseMs(letters: readonly Letter[], now: number): number {
  if (letters.some(({ held }) => held)) return MINUTE_MS;
  return Math.max(POLL_MS, Math.min(...letters.map(({ visibleAt }) => visibleAt)) - now);
}

function remove(house: House): void {
  house.note('the second shard is removed');
  house.consumers.remove();
  house.post.closed.add(QUEUE);
  house.keyPools[1]?.remove();
}
