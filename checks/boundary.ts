/**
 * Which part of the repository may import which. Imports point one way: Workers import `shared/` and
 * never each other, the pure core imports neither the store nor the platform, and nothing but a test
 * imports a test. Pure: edges in, violations out.
 */

export interface ImportEdge {
  /** The importing file, relative to the root, with forward slashes. */
  readonly from: string;
  /** The imported file, relative to the root; or the specifier of a package (`hono`, `node:fs`). */
  readonly to: string;
  readonly kind: 'file' | 'package';
  readonly line: number;
}

interface Boundary {
  /** Files this speaks of: the longest matching prefix wins. */
  readonly within: string;
  /** Prefixes of the files that they may import. */
  readonly files: readonly string[];
  /** Prefixes of the packages that they may not import. */
  readonly notPackages: readonly string[];
}

const NODE_ONLY = ['node:', 'miniflare', 'wrangler', 'vitest', 'esbuild', '@cloudflare/vitest-plugin'];
const WORKERS_ONLY = ['cloudflare:'];

const BOUNDARIES: readonly Boundary[] = [
  { within: 'shared/', files: ['shared/'], notPackages: NODE_ONLY },
  {
    within: 'shared/task/',
    files: ['shared/task/', 'shared/crypto/', 'shared/bytes.ts', 'shared/json-text.ts'],
    notPackages: [...NODE_ONLY, ...WORKERS_ONLY],
  },
  { within: 'producer/', files: ['producer/', 'shared/'], notPackages: NODE_ONLY },
  // The page that it carries, as text.
  {
    within: 'producer/routes/dashboard.ts',
    files: ['producer/', 'shared/', 'dashboard/dist/'],
    notPackages: NODE_ONLY,
  },
  // Types of the API's documents, who may do what, and words.
  {
    within: 'dashboard/',
    files: [
      'dashboard/',
      'producer/access.ts',
      'producer/schema/',
      'shared/auth/role.ts',
      'shared/capacity/line.ts',
      'shared/task/',
    ],
    notPackages: [...NODE_ONLY, ...WORKERS_ONLY],
  },
  { within: 'dashboard/build.ts', files: [], notPackages: WORKERS_ONLY },
  { within: 'consumer/', files: ['consumer/', 'shared/'], notPackages: NODE_ONLY },
  { within: 'callback/', files: ['callback/', 'shared/'], notPackages: NODE_ONLY },
  // The real Workers behind bindings that count.
  {
    within: 'bench/workers/metered/',
    files: ['bench/workers/', 'producer/', 'consumer/', 'callback/', 'shared/'],
    notPackages: NODE_ONLY,
  },
  // And behind stores that can be taken away.
  {
    within: 'bench/workers/gated/',
    files: ['bench/workers/', 'producer/', 'callback/', 'shared/'],
    notPackages: NODE_ONLY,
  },
  // With statistics that can be switched off.
  {
    within: 'bench/workers/counted/',
    files: ['bench/workers/', 'consumer/', 'callback/', 'shared/'],
    notPackages: NODE_ONLY,
  },
  // The registry's core under a clock of the bench.
  {
    within: 'bench/registry/',
    files: [
      'bench/registry/',
      'callback/capacity/',
      'callback/flows/',
      'callback/registry/',
      'callback/services/',
      'shared/',
    ],
    notPackages: WORKERS_ONLY,
  },
  // Jobs, under one too.
  {
    within: 'bench/redrive/',
    files: ['bench/redrive/', 'bench/sqlite/', 'callback/', 'shared/'],
    notPackages: WORKERS_ONLY,
  },
  { within: 'bench/fairness/', files: ['bench/fairness/', 'bench/sqlite/', 'shared/'], notPackages: WORKERS_ONLY },
  // The consumer's real batches, under one too; they run in Node.
  {
    within: 'bench/batches/',
    files: ['bench/batches/', 'bench/capacity/', 'consumer/', 'shared/'],
    notPackages: NODE_ONLY,
  },
  // Limiter and key pool.
  {
    within: 'bench/capacity/',
    files: ['bench/capacity/', 'consumer/keys/pool/', 'shared/'],
    notPackages: WORKERS_ONLY,
  },
  { within: 'bench/workers/', files: ['bench/workers/', 'shared/'], notPackages: NODE_ONLY },
  // Whatever a person runs speaks to a terminal.
  { within: 'terminal/', files: ['shared/closest.ts', 'terminal/'], notPackages: WORKERS_ONLY },
  {
    within: 'checks/',
    files: ['checks/', 'dashboard/', 'deploy/build/', 'deploy/plan/', 'local/', 'shared/task/', 'terminal/'],
    notPackages: WORKERS_ONLY,
  },
  // Which edits take a rule out: a list that must follow the source.
  { within: 'checks/mutations.ts', files: ['test/protocol/mutations/'], notPackages: WORKERS_ONLY },
  { within: 'checks/protocol-page.ts', files: ['test/protocol/mutations/'], notPackages: WORKERS_ONLY },
  // Of the rehearsal a deploy knows the command, and of the local run nothing.
  {
    within: 'deploy/',
    files: ['dashboard/', 'deploy/', 'rehearse/command.ts', 'shared/', 'terminal/'],
    notPackages: WORKERS_ONLY,
  },
  {
    within: 'local/',
    files: ['local/', 'deploy/build/', 'deploy/plan/', 'examples/', 'shared/', 'terminal/'],
    notPackages: WORKERS_ONLY,
  },
  {
    within: 'rehearse/',
    files: ['rehearse/', 'deploy/', 'local/', 'examples/', 'shared/', 'terminal/'],
    notPackages: WORKERS_ONLY,
  },
  { within: 'examples/', files: ['examples/', 'shared/', 'terminal/'], notPackages: WORKERS_ONLY },
  { within: 'agent/', files: ['agent/', 'shared/', 'terminal/'], notPackages: WORKERS_ONLY },
  {
    within: 'bench/',
    files: ['bench/', 'deploy/', 'local/', 'examples/', 'rehearse/', 'shared/', 'terminal/'],
    notPackages: WORKERS_ONLY,
  },
  { within: 'test/', files: [''], notPackages: [] },
  // Configuration files at the root.
  { within: '', files: ['deploy/', 'shared/'], notPackages: WORKERS_ONLY },
];

/** The boundary that `file` lives in; the last one (the root) matches everything. */
function boundaryOf(file: string): Boundary | undefined {
  return BOUNDARIES.filter(({ within }) => file.startsWith(within)).sort(
    (a, b) => b.within.length - a.within.length,
  )[0];
}

function isPackage(specifier: string, prefix: string): boolean {
  return specifier === prefix || specifier.startsWith(prefix.endsWith(':') ? prefix : `${prefix}/`);
}

/** One readable line per import that crosses a boundary the wrong way. */
export function boundaryViolations(edges: readonly ImportEdge[]): string[] {
  return edges.filter(crosses).map((edge) => `${edge.from}:${edge.line} may not import ${edge.to}`);
}

/** @param files every source; a boundary around none of them is of a room that is gone */
export function emptyBoundaries(files: readonly string[]): string[] {
  return BOUNDARIES.filter(({ within }) => !files.some((file) => file.startsWith(within))).map(
    ({ within }) => `checks/boundary.ts speaks of ${within}, where no file is`,
  );
}

function crosses({ from, to, kind }: ImportEdge): boolean {
  const boundary = boundaryOf(from);
  if (boundary === undefined) return true;
  return kind === 'file'
    ? !boundary.files.some((prefix) => to.startsWith(prefix))
    : boundary.notPackages.some((prefix) => isPackage(to, prefix));
}
