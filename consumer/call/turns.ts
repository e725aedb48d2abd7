/**
 * Whose turn it is to call over the network. The platform lets six connections of one request wait for
 * response headers, whichever Workers open them (Workers limits, "Simultaneous open connections"); a seventh
 * would wait unseen while its time-out runs, so calls take turns. While several services wait, one of them
 * gets at most a share of the turns: slow calls do not hold up those of other services. Pure.
 */

/**
 * The call that goes next: the first that waits, unless its service has its share.
 * @param waiting in the order of their coming; at least one
 * @param takenBy turns that are taken, by service
 * @param share of the turns, for one service while others wait
 * @returns its index
 */
export function nextTurn(
  waiting: readonly { readonly service: string }[],
  takenBy: ReadonlyMap<string, number>,
  atOnce: number,
  share: number,
): number {
  const mostOfOne = Math.max(1, Math.floor(atOnce * share));
  return Math.max(
    0,
    waiting.findIndex(({ service }) => (takenBy.get(service) ?? 0) < mostOfOne),
  );
}
