/** For what is remembered by names that tasks bring: no map or set of it grows for ever. Changes it in place, without I/O. */

/** @param kept the latest last: what is set anew is deleted before */
export function keepNewest<Name>(kept: Map<Name, unknown> | Set<Name>, most: number): void {
  for (const oldest of kept.keys()) {
    if (kept.size <= most) return;
    kept.delete(oldest);
  }
}
