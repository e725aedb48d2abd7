import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';

const WIDTH = 80;

/** Texts of commands, as they are printed: in source they stand in one template each. */
const helps = globSync('{agent,bench,deploy,examples,local,test/protocol/mutations}/**/*.ts').flatMap((file) => {
  const [, text] = /const (?:HELP|USAGE) = `([^`]*)`/.exec(readFileSync(file, 'utf8')) ?? [];
  return text === undefined ? [] : [{ file, text }];
});

it('every command has a help', () => {
  expect(helps.length).toBeGreaterThan(20);
});

it.each(helps)('the help of $file is no wider than a terminal', ({ text }) => {
  expect(text.split('\n').filter((line) => line.length > WIDTH)).toEqual([]);
});

const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: Record<string, string> };

const commands = Object.entries(scripts).flatMap(([name, script]) => {
  const file = /^(?:exec )?node (?:\S+ )*?(\S+\.ts)\b/.exec(script)?.[1];
  return file === undefined ? [] : [{ name, file }];
});

/** With the modules beside it that it imports: some commands read their options in one of their own. */
function sourcesOf(file: string): string {
  const text = readFileSync(file, 'utf8');
  const beside = [...text.matchAll(/from '(\.\/[^']+\.ts)'/g)].map(([, name = '']) =>
    path.join(path.dirname(file), name),
  );
  return [text, ...beside.map((each) => readFileSync(each, 'utf8'))].join('\n');
}

it('every command of package.json is among those that are looked at', () => {
  expect(commands.length).toBeGreaterThan(20);
});

it.each(commands)('npm run $name refuses an option that it does not know', ({ file }) => {
  expect(sourcesOf(file)).toMatch(/parseOptions(?:OrExit)?\(/);
});
