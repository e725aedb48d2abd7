import { globSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

const WIDTH = 80;

/** Texts of commands, as they are printed: in source they stand in one template each. */
const helps = globSync('{agent,bench,deploy,examples,local}/**/*.ts').flatMap((file) => {
  const [, text] = /const (?:HELP|USAGE) = `([^`]*)`/.exec(readFileSync(file, 'utf8')) ?? [];
  return text === undefined ? [] : [{ file, text }];
});

it('every command has a help', () => {
  expect(helps.length).toBeGreaterThan(20);
});

it.each(helps)('the help of $file is no wider than a terminal', ({ text }) => {
  expect(text.split('\n').filter((line) => line.length > WIDTH)).toEqual([]);
});
