/**
 * Which shard takes a message: of two at random the one with the smaller backlog (the power of two
 * choices, Mitzenmacher 2001). Every send answers with its queue's backlog, so the knowledge is free;
 * it is forgotten after a few seconds, so that a shard that drained, or refused once, is tried again.
 * Pure: the clock and the dice are handed in.
 */

export interface ShardNews {
  /** Messages waiting; infinite after a refused send. */
  readonly backlog: number;
  /** What they take in the queue. */
  readonly bytes?: number;
  readonly at: number;
}

/** Longer than a burst, shorter than it takes a drained shard to miss its share. */
const NEWS_AGE_MS = 5_000;

/**
 * @param candidates shard numbers, at least one
 * @param random a function like Math.random
 */
export function chooseShard(
  news: readonly (ShardNews | undefined)[],
  candidates: readonly number[],
  now: number,
  random: () => number,
): number {
  const first = Math.floor(random() * candidates.length);
  const one = candidates[first] ?? 0;
  if (candidates.length < 2) return one;
  const step = 1 + Math.floor(random() * (candidates.length - 1));
  const other = candidates[(first + step) % candidates.length] ?? one;
  return backlogOf(news[other], now) < backlogOf(news[one], now) ? other : one;
}

function backlogOf(news: ShardNews | undefined, now: number): number {
  return news === undefined || now - news.at > NEWS_AGE_MS ? 0 : news.backlog;
}
