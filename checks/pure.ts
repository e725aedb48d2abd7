/**
 * What a file that calls itself pure, or deterministic, may not touch: the clock, dice, the network, timers, the platform.
 * Its header's word is its mark, so a reader and this check go by the same. Pure.
 */
import { parseSync, Visitor } from 'oxc-parser';

const MARK = /\b(?:Pure\.|Deterministic, without I\/O)/;
const GLOBALS = new Set([
  'fetch',
  'setTimeout',
  'setInterval',
  'scheduler',
  'crypto',
  'caches',
  'process',
  'performance',
]);
const MEMBERS = new Set(['Date.now', 'Math.random']);
/** The same for the same bytes. */
const HASHING = 'crypto.subtle';
/** `node:util` and `node:path` compute. */
const PACKAGES = /^(?:cloudflare:|node:(?!util$|path$)|miniflare$)/;

export interface Impurity {
  readonly line: number;
  readonly what: string;
}

/** True when the header of the file, its first comment, says so. */
export function isMarkedPure(source: string): boolean {
  const [header = ''] = /^\/\*\*[\s\S]*?\*\//.exec(source) ?? [];
  return MARK.test(header.replaceAll(/\s*\n \* ?/g, ' '));
}

/** @param fileName says which language it is in */
export function impuritiesOf(fileName: string, source: string): Impurity[] {
  const { program, module } = parseSync(fileName, source);
  const found: Impurity[] = [];
  const note = (start: number, what: string) => found.push({ line: source.slice(0, start).split('\n').length, what });
  for (const { moduleRequest, entries } of module.staticImports) {
    const isTypeOnly = entries.length > 0 && entries.every(({ isType }) => isType);
    if (!isTypeOnly && PACKAGES.test(moduleRequest.value)) note(moduleRequest.start, `imports ${moduleRequest.value}`);
  }
  new Visitor({
    CallExpression: ({ callee, start }) => {
      if (callee.type === 'Identifier' && GLOBALS.has(callee.name)) note(start, `calls ${callee.name}`);
    },
    MemberExpression: ({ object, property, start }) => {
      if (object.type !== 'Identifier' || property.type !== 'Identifier') return;
      const name = `${object.name}.${property.name}`;
      if (MEMBERS.has(name) || (GLOBALS.has(object.name) && name !== HASHING)) note(start, `uses ${name}`);
    },
    NewExpression: ({ callee, arguments: inputs, start }) => {
      if (callee.type === 'Identifier' && callee.name === 'Date' && inputs.length === 0) note(start, 'reads the clock');
    },
  }).visit(program);
  return found;
}
