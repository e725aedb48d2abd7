/** Files that import each other in a circle: none of them can be understood, tested or moved without the others. Pure. */
import type { ImportEdge } from './boundary.ts';

/** One sorted group for each circle; a type-only import counts, since a reader follows it too. */
export function importCircles(edges: readonly ImportEdge[]): string[][] {
  const imports = new Map<string, string[]>();
  for (const { from, to, kind } of edges) {
    if (kind === 'file') imports.set(from, [...(imports.get(from) ?? []), to]);
  }
  const reached = new Map<string, ReadonlySet<string>>();
  for (const file of imports.keys()) reached.set(file, reachableFrom(file, imports));
  const circles = new Map<string, string[]>();
  for (const [file, reachable] of reached) {
    if (!reachable.has(file)) continue;
    const circle = [...reachable].filter((other) => reached.get(other)?.has(file)).sort();
    circles.set(circle.join(), circle);
  }
  return [...circles.values()];
}

/** Everything that is imported on the way from `start`; `start` itself only if the way comes back. */
function reachableFrom(start: string, imports: ReadonlyMap<string, readonly string[]>): ReadonlySet<string> {
  const seen = new Set<string>();
  const open = [...(imports.get(start) ?? [])];
  for (let file = open.pop(); file !== undefined; file = open.pop()) {
    if (seen.has(file)) continue;
    seen.add(file);
    open.push(...(imports.get(file) ?? []));
  }
  return seen;
}
