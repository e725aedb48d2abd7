/**
 * What a test may not be: one that expects nothing, one whose failure nobody waits for, one that measures the machine.
 * What a function of the same file expects counts for the tests that call it. Pure.
 */
import { type Expression, type Node, parseSync, Visitor } from 'oxc-parser';

export interface TestFault {
  readonly line: number;
  readonly what: string;
}

type Nodes = readonly Node[];

const CLOCKS = /^(?:Date\.now|performance\.now)$/;
const SLEEPS = /^(?:setTimeout|sleep|scheduler\.wait)$/;
const LOOPS = new Set(['ForStatement', 'ForOfStatement', 'ForInStatement', 'WhileStatement', 'DoWhileStatement']);
/** They have expected something when they return. */
const EXPECTING = ['expect', 'expectTypeOf', 'assert', 'fc'];

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string';
}

function childrenOf(node: Node): Node[] {
  return Object.values(node).flat().filter(isNode);
}

/** @param visit with the nodes around each node, the outermost first */
function walk(node: Node, visit: (node: Node, around: Nodes) => void, around: Nodes = []): void {
  visit(node, around);
  for (const child of childrenOf(node)) walk(child, visit, [...around, node]);
}

/** `expect` of `expect(x).not.toBe(y)`. */
function rootOf(node: Node): string {
  if (node.type === 'Identifier') return node.name;
  if (node.type === 'MemberExpression') return rootOf(node.object);
  return node.type === 'CallExpression' ? rootOf(node.callee) : '';
}

function dotted(node: Node): string {
  if (node.type === 'Identifier') return node.name;
  if (node.type !== 'MemberExpression' || node.property.type !== 'Identifier') return '';
  return `${dotted(node.object)}.${node.property.name}`;
}

function callsAny(body: Node, names: ReadonlySet<string>): boolean {
  let calls = false;
  walk(body, (node) => {
    if (node.type === 'CallExpression' && names.has(rootOf(node.callee))) calls = true;
  });
  return calls;
}

/** `expect` itself, and the functions of the file that come to it; imported ones that say so in their name. */
function expectingNames(program: Node): Set<string> {
  const names = new Set(EXPECTING);
  const bodies = new Map<string, Node>();
  walk(program, (node) => {
    if (node.type === 'FunctionDeclaration' && node.id !== null && node.body !== null)
      bodies.set(node.id.name, node.body);
    if (node.type === 'VariableDeclarator' && node.id.type === 'Identifier' && node.init !== null)
      bodies.set(node.id.name, node.init);
    if (node.type === 'ImportSpecifier' && node.local.name.startsWith('expect')) names.add(node.local.name);
  });
  for (let before = 0; before < names.size; ) {
    before = names.size;
    for (const [name, body] of bodies) if (callsAny(body, names)) names.add(name);
  }
  return names;
}

function isFunction(node: Node): boolean {
  return node.type === 'ArrowFunctionExpression' || node.type === 'FunctionExpression';
}

/** @returns the names of the `describe`s around, and its own */
function pathOf(name: Expression, around: Nodes, textOf: (node: Node) => string): string {
  const groups = around.flatMap((node) =>
    node.type === 'CallExpression' && rootOf(node.callee) === 'describe' ? [node.start] : [],
  );
  return `${groups.join()} ${textOf(name)}`;
}

export function faultsOf(fileName: string, source: string): TestFault[] {
  const { program, comments } = parseSync(fileName, source);
  const names = expectingNames(program);
  const lineOf = (at: number) => source.slice(0, at).split('\n').length;
  const textOf = ({ start, end }: Node) => source.slice(start, end);
  const commented = new Set(comments.map(({ end }) => lineOf(end) + 1));
  const faults: TestFault[] = [];
  const note = (node: Node, what: string) => faults.push({ line: lineOf(node.start), what });
  const seen = new Set<string>();

  walk(program, (node, around) => {
    if (node.type !== 'CallExpression') return;
    const root = rootOf(node.callee);
    const [name] = node.arguments;
    const test = node.arguments.find(isFunction);
    if (root === 'it' && test !== undefined && (name?.type === 'Literal' || name?.type === 'TemplateLiteral')) {
      const path = pathOf(name, around, textOf);
      if (seen.has(path)) note(node, `has the name of another test, ${textOf(name)}`);
      seen.add(path);
      if (!callsAny(test, names)) note(node, `expects nothing in ${textOf(name)}`);
    }
    if (root !== 'expect') return;
    const outer = around.at(-1);
    if (outer?.type === 'MemberExpression') return;
    if (node.callee.type === 'Identifier') note(node, 'expects without saying what');
    const waits = /\.(?:resolves|rejects)\.|^expect\s*\.poll\(/.test(textOf(node));
    if (waits && outer?.type === 'ExpressionStatement') note(node, 'waits for nobody: what is promised is not awaited');
  });

  new Visitor({
    CallExpression(node) {
      if (dotted(node.callee) !== 'expect') return;
      for (const argument of node.arguments) {
        walk(argument, (inner, around) => {
          const reads = inner.type === 'CallExpression' && CLOCKS.test(dotted(inner.callee));
          if (reads && !around.some(isFunction)) note(inner, 'measures the machine: no test asserts a time');
        });
      }
    },
  }).visit(program);

  walk(program, (node, around) => {
    if (node.type !== 'CallExpression' || !SLEEPS.test(dotted(node.callee))) return;
    const inTest = around.findLastIndex((each) => each.type === 'CallExpression' && rootOf(each.callee) === 'it');
    if (inTest < 0 || around.slice(inTest).some(({ type }) => LOOPS.has(type))) return;
    const statement = around.findLast(({ type }) => type === 'ExpressionStatement') ?? node;
    if (![node, statement].some(({ start }) => commented.has(lineOf(start))))
      note(node, 'sleeps: wait for a condition with expect.poll, or say above why none would do');
  });
  return faults;
}
