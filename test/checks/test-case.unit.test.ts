import { describe, expect, it } from 'vitest';
import { faultsOf } from '../../checks/test-case.ts';

const whats = (source: string) => faultsOf('a.test.ts', source).map(({ what }) => what);
const within = (body: string) => `it('adds', async () => { ${body} });`;

describe('A test', () => {
  it.each([
    ['that only calls', within('add(1, 1);'), 'expects nothing'],
    ['that expects without a word', within('expect(add(1, 1));'), 'without saying what'],
    ['whose promise nobody awaits', within('expect(add()).rejects.toThrow();'), 'not awaited'],
    ['whose poll nobody awaits', within('expect.poll(() => add()).toBe(2);'), 'not awaited'],
    ['that asserts how long it took', within('expect(Date.now() - startedAt).toBeLessThan(5);'), 'asserts a time'],
    ['that asserts it by another clock', within('expect(performance.now() - at).toBeLessThan(5);'), 'asserts a time'],
    ['that waits for a moment', within('add();\nawait sleep(50);\nexpect(sum).toBe(2);'), 'sleeps'],
    ['with the name of another', within('expect(1).toBe(1);').repeat(2), "the name of another test, 'adds'"],
  ])('%s is refused', (_which, source, what) => {
    expect(whats(source)).toEqual([expect.stringContaining(what)]);
  });

  it.each([
    ['expects by a function of its file', `function check() { expect(1).toBe(1); }\n${within('check();')}`],
    ['expects by an arrow of its file', `const check = (x) => expect(x).toBe(1);\n${within('check(1);')}`],
    ['expects by what it imports', `import { expectClean } from './clean.ts';\n${within('expectClean(1);')}`],
    ['holds a property', within('fc.assert(fc.property(fc.nat(), (n) => n >= 0));')],
    ['compares with the clock of its subject', within('expect(signedAt).toBeLessThanOrEqual(Date.now());')],
    ['gives its subject the clock', within('await expect.poll(() => stateAt(Date.now())).toBe(1);')],
    ['looks again and again', within('while (!done) { await sleep(50); }\nexpect(done).toBe(true);')],
    ['says why it waits', within('add();\n// Nobody may ask meanwhile.\nawait sleep(50);\nexpect(sum).toBe(2);')],
    ['stands in another group', "describe('a', () => { it('x', () => expect(1).toBe(1)); });\n".repeat(2)],
  ])('that %s is let through', (_which, source) => {
    expect(whats(source)).toEqual([]);
  });

  it('is named by its line', () => {
    expect(faultsOf('a.test.ts', `// One.\n${within('add();')}`)).toMatchObject([{ line: 2 }]);
  });
});
