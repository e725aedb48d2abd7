/**
 * How a batch's calls over the network are divided among invocations. Six calls may wait for headers
 * in one; a further invocation costs about as much processor time as a call, so where calls are
 * quick, each of the six connections makes a few of them in turn. Pure.
 */

/** Connections of one invocation that may wait for response headers at a time (Workers limits). */
export const CONNECTIONS = 6;

/** Six calls that end within this are quick. */
export const QUICK_MS = 30;

/** A batch of quick calls takes at most so many times as long. More turns gain nothing. */
export const QUICK_TURNS = 3;

/** Parts of `calls` for an invocation each: all full but the last. */
export function spread<Call>(calls: readonly Call[], turns: number): Call[][] {
  const size = CONNECTIONS * turns;
  const parts: Call[][] = [];
  for (let at = 0; at < calls.length; at += size) parts.push(calls.slice(at, at + size));
  return parts;
}
