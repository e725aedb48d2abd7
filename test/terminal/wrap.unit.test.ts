import { execFileSync } from 'node:child_process';
import { stripVTControlCharacters } from 'node:util';
import { describe, expect, it } from 'vitest';
import { wrap } from '../../terminal/wrap.ts';

describe('wrapped text', () => {
  it('keeps within the width, its indent on the first line and the hang on the others', () => {
    const lines = wrap(`  ${'word '.repeat(40).trim()}`, 6);
    expect(lines.length).toBeGreaterThan(2);
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(80);
    expect(lines[0]).toMatch(/^ {2}word/);
    expect(lines[1]).toMatch(/^ {6}word/);
    expect(lines.map((line) => line.trim()).join(' ')).toBe('word '.repeat(40).trim());
  });

  it('counts what the eye sees: colours take no room', () => {
    const plain = 'word '.repeat(40).trim();
    const coloured = `\u001b[1m\u001b[32m${plain.slice(0, 4)}\u001b[39m\u001b[22m${plain.slice(4)}`;
    expect(wrap(coloured, 2).map((line) => stripVTControlCharacters(line))).toEqual(wrap(plain, 2));
  });

  it('leaves a word that is too long whole', () => {
    expect(wrap('x'.repeat(100), 2)).toEqual(['x'.repeat(100)]);
  });
});

describe.each(['deploy/deploy.ts', 'deploy/destroy.ts', 'local/start.ts', 'local/token.ts'])('%s --help', (program) => {
  it('is no wider than a terminal', () => {
    const help = execFileSync(process.execPath, [program, '--help'], { encoding: 'utf8' });
    expect(help.split('\n').filter((line) => line.length > 80)).toEqual([]);
  });
});
