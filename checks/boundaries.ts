/**
 * Reads every import of the repository (static, type-only, re-exported, dynamic and `import('…')`
 * types) with a parser, resolves it to a file, and fails on those that `boundary.ts` forbids, that
 * lead nowhere, or that close a circle. A parser of its own, because TypeScript 7 has no compiler API that dependency
 * checkers could use, and a bundler's graph leaves type imports out.
 */
import { existsSync, globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parseSync, Visitor } from 'oxc-parser';
import { boundaryViolations, emptyBoundaries, type ImportEdge } from './boundary.ts';
import { importCircles } from './circle.ts';

const SOURCES = ['*.mts', '*/**/*.{ts,mts,tsx}'];

function isIgnored(file: string): boolean {
  return /^(?:node_modules|coverage|\.[^/]+)$/.test(file);
}

interface ImportSite {
  readonly specifier: string;
  readonly start: number;
}

function importsOf(file: string, source: string): ImportSite[] {
  const { program, module, errors } = parseSync(file, source);
  if (errors.length > 0) throw new Error(`${file} cannot be parsed: ${errors[0]?.message}`);
  const sites: ImportSite[] = [];
  for (const { moduleRequest } of module.staticImports) {
    sites.push({ specifier: moduleRequest.value, start: moduleRequest.start });
  }
  for (const { entries } of module.staticExports) {
    const request = entries[0]?.moduleRequest;
    if (request) sites.push({ specifier: request.value, start: request.start });
  }
  const literal = (node: { readonly type: string; readonly value?: unknown; readonly start: number }) => {
    if (typeof node.value === 'string') sites.push({ specifier: node.value, start: node.start });
  };
  new Visitor({
    ImportExpression: ({ source: from }) => literal(from),
    TSImportType: ({ source: from }) => literal(from),
  }).visit(program);
  return sites;
}

function edgesOf(file: string): ImportEdge[] {
  const source = readFileSync(file, 'utf8');
  return importsOf(file, source).map(({ specifier, start }) => {
    const line = source.slice(0, start).split('\n').length;
    if (!specifier.startsWith('.')) return { from: file, to: specifier, kind: 'package', line };
    return { from: file, to: path.posix.join(path.posix.dirname(file), specifier), kind: 'file', line };
  });
}

const files = globSync(SOURCES, { exclude: isIgnored });
const edges = files.flatMap(edgesOf);
const dangling = edges
  .filter(({ to, kind }) => kind === 'file' && !existsSync(to))
  .map(({ from, to, line }) => `${from}:${line} imports ${to}, which does not exist`);
const circles = importCircles(edges).map((circle) => `import each other in a circle: ${circle.join(', ')}`);
const problems = [...boundaryViolations(edges), ...emptyBoundaries(files), ...dangling, ...circles];
for (const problem of problems) console.error(problem);
if (problems.length > 0) process.exitCode = 1;
else console.log(`${edges.length} imports, none crosses a boundary or closes a circle`);
