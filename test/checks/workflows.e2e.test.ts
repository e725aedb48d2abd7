/** `npm run check` looks at the workflows with actionlint too. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, it } from 'vitest';

it('finds what actionlint finds', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'tasklane-'));
  try {
    mkdirSync(path.join(folder, '.github', 'workflows'), { recursive: true });
    writeFileSync(path.join(folder, 'package.json'), readFileSync('package.json'));
    writeFileSync(
      path.join(folder, '.github', 'workflows', 'bad.yml'),
      readFileSync('.github/workflows/preview.yml', 'utf8').replace('github.event.number', 'github.evnet.number'),
    );
    const script = path.resolve('checks/workflows.ts');
    const { status, stderr } = spawnSync(process.execPath, [script], { cwd: folder, encoding: 'utf8' });
    expect(stderr).toMatch(/bad\.yml:\d+:\d+ property "evnet" is not defined/);
    expect(status).toBe(1);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
