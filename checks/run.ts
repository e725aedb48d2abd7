/**
 * `npm run check`: says in one go whether the tree is good. Every check runs, whatever the others
 * say; a failing one prints its whole output. The counts go to `.wrangler/check-results.json`.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { buildDashboard } from '../dashboard/build.ts';
import { parseOptionsOrExit } from '../terminal/options.ts';
import { style } from '../terminal/style.ts';

const CHECKS: readonly { readonly name: string; readonly command: readonly string[] }[] = [
  { name: 'format and lint', command: ['biome', 'ci', '--error-on-warnings', '--colors=off', '--max-diagnostics=50'] },
  { name: 'types: Workers', command: ['tsc', '-p', 'tsconfig.workers.json'] },
  { name: 'types: dashboard', command: ['tsc', '-p', 'tsconfig.browser.json'] },
  { name: 'types: Node', command: ['tsc', '-p', 'tsconfig.node.json'] },
  { name: 'types: tests', command: ['tsc', '-p', 'tsconfig.test.json'] },
  { name: 'unused files, exports, packages', command: ['knip', '--no-progress', '--no-config-hints'] },
  { name: 'import boundaries', command: ['node', 'checks/boundaries.ts'] },
  { name: 'retired names', command: ['node', 'checks/words.ts'] },
  { name: 'pure files', command: ['node', 'checks/purity.ts'] },
  { name: 'discriminants', command: ['node', 'checks/discriminants.ts'] },
  { name: 'tests expect something', command: ['node', 'checks/test-cases.ts'] },
  { name: 'sizes of files', command: ['node', 'checks/sizes.ts'] },
  { name: 'schema drift', command: ['node', 'checks/schema.ts'] },
  { name: 'state diagram', command: ['node', 'checks/state-diagram.ts'] },
  { name: 'links and decisions', command: ['node', 'checks/pages.ts'] },
  { name: "protocol's page", command: ['node', 'checks/protocol-page.ts'] },
  { name: 'mutations apply', command: ['node', 'checks/mutations.ts'] },
  { name: 'workflows', command: ['node', 'checks/workflows.ts'] },
  { name: 'API document', command: ['node', 'checks/openapi.ts'] },
];

/** As many as there are processors on a small machine; more only makes each of them slower. */
const AT_ONCE = 2;

parseOptionsOrExit();

interface CheckResult {
  readonly name: string;
  readonly passed: boolean;
}

function runCheck([command = '', ...args]: readonly string[]): Promise<{ passed: boolean; output: string }> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    child.stdout.on('data', (chunk) => (output += chunk));
    child.stderr.on('data', (chunk) => (output += chunk));
    child.on('error', (error) => resolve({ passed: false, output: `${error.message}; is this run through npm?` }));
    child.on('close', (code) => resolve({ passed: code === 0, output }));
  });
}

async function runAll(): Promise<CheckResult[]> {
  const results: CheckResult[] = [];
  const waiting = [...CHECKS];
  const worker = async () => {
    for (let check = waiting.shift(); check !== undefined; check = waiting.shift()) {
      const startedAt = performance.now();
      const { passed, output } = await runCheck(check.command);
      const seconds = style.dim(`${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
      console.log(`${passed ? style.green('✓') : style.red('✗')} ${check.name} ${seconds}`);
      if (!passed) console.log(output.trimEnd().replaceAll(/^/gm, '  '));
      results.push({ name: check.name, passed });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return results;
}

await buildDashboard();
const results = await runAll();
const failed = results.filter(({ passed }) => !passed).length;
mkdirSync('.wrangler', { recursive: true });
writeFileSync('.wrangler/check-results.json', JSON.stringify({ passed: results.length - failed, failed }));
console.log(failed === 0 ? `\n${results.length} checks passed` : `\n${failed} of ${results.length} checks failed`);
if (failed > 0) process.exitCode = 1;
