/**
 * Releases beside each other: bundles of the tree as it is, and of the tree as a next release may change it.
 * The changes are small edits of named places, made while bundling; one that does not find its place fails.
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { build, type Plugin } from 'esbuild';
import { ROOT } from '../../deploy/plan/plan-files.ts';

export interface Edit {
  /** From the root. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

export interface Release {
  readonly producer: string;
  readonly consumer: string;
  readonly callback: string;
}

/** Every schema of a message or a call must bear fields that only the other release knows. */
export const ADDITIONAL_FIELDS: readonly Edit[] = [
  {
    file: 'shared/message/task-message.ts',
    find: "{ v: MESSAGE_VERSION, kind: 'task', task }",
    replace: "{ v: MESSAGE_VERSION, kind: 'task', task: { ...task, added: { by: 'next' } }, added: 'next' }",
  },
  {
    file: 'shared/message/task-message.ts',
    find: "{ v: MESSAGE_VERSION, kind: 'wake', id, service, ...",
    replace: "{ v: MESSAGE_VERSION, kind: 'wake', id, service, added: 'next', ...",
  },
  {
    file: 'consumer/delivery/ledger-session.ts',
    find: 'session.claim(batch)',
    replace:
      "session.claim({ ...batch, added: 'next', claims: batch.claims.map((claim) => ({ ...claim, added: 1 })) })",
  },
  {
    file: 'consumer/delivery/ledger-session.ts',
    find: 'session.settle(settlements)',
    replace:
      "session.settle(settlements.map((each) => ({ ...each, added: 'next', event: { ...each.event, added: 1 } })))",
  },
  {
    file: 'callback/ledger.ts',
    find: "return answerClaims(this.#env, { nonce, claims: parseEach(ClaimSchema, claims, 'claim') }, Date.now());",
    replace: `return answerClaims(this.#env, { nonce, claims: parseEach(ClaimSchema, claims, 'claim') }, Date.now()).then((answers) =>
      answers.map((answer) => ({ ...answer, added: 'next' })));`,
  },
  {
    file: 'callback/ledger.ts',
    find: 'const settled = await settleAttempts(this.#env, readable, Date.now());',
    replace: `const settled = (await settleAttempts(this.#env, readable, Date.now())).map((each) =>
      ({ ...each, added: 'next' }));`,
  },
];

/** A release that reads messages of the next version and does not write them yet. */
export const READS_NEXT_VERSION: readonly Edit[] = ['task', 'wake', 'cancel'].map(() => ({
  file: 'shared/message/task-message.ts',
  // Of each kind in turn: what has been replaced is not found again.
  find: 'v: z.literal(MESSAGE_VERSION)',
  replace: 'v: z.literal([1, 2])',
}));

/** The one after it, which writes them too. */
export const WRITES_NEXT_VERSION: readonly Edit[] = [
  ...READS_NEXT_VERSION,
  { file: 'shared/message/task-message.ts', find: 'MESSAGE_VERSION = 1', replace: 'MESSAGE_VERSION = 2' },
];

export async function buildRelease(edits: readonly Edit[]): Promise<Release> {
  const [producer = '', consumer = '', callback = ''] = await Promise.all(
    ['producer', 'consumer', 'callback'].map((room) => bundle(path.join(ROOT, room, 'index.ts'), edits)),
  );
  const unused = edits.filter(({ replace }) => ![producer, consumer, callback].some((text) => contains(text, replace)));
  if (unused.length > 0) throw new Error(`no Worker holds the edit of ${unused.map(({ file }) => file).join(', ')}`);
  return { producer, consumer, callback };
}

/** A bundle is printed anew; names and numbers survive. */
function contains(text: string, replacement: string): boolean {
  const words = replacement.match(/added|\[1, 2\]|MESSAGE_VERSION = 2/g) ?? [];
  return words.every((word) => text.includes(word));
}

async function bundle(entry: string, edits: readonly Edit[]): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [entry],
    bundle: true,
    write: false,
    format: 'esm',
    target: 'es2024',
    conditions: ['workerd', 'worker', 'browser'],
    external: ['cloudflare:*', 'node:*'],
    logLevel: 'error',
    plugins: [edited(edits), asText],
  });
  return outputFiles[0]?.text ?? '';
}

function edited(edits: readonly Edit[]): Plugin {
  return {
    name: 'edited',
    setup: ({ onLoad }) => {
      onLoad({ filter: /\.ts$/ }, async ({ path: file }) => {
        const own = edits.filter((edit) => path.join(ROOT, edit.file) === file);
        if (own.length === 0) return undefined;
        let contents = await readFile(file, 'utf8');
        for (const { find, replace } of own) {
          if (!contents.includes(find))
            throw new Error(`${file} has no ${find}; change test/release/variant.ts with it`);
          contents = contents.replace(find, () => replace);
        }
        return { contents, loader: 'ts' };
      });
    },
  };
}

/** What wrangler.toml has as text modules. */
const asText: Plugin = {
  name: 'as-text',
  setup: ({ onLoad }) => {
    onLoad({ filter: /swagger-ui(?:-bundle\.js|\.css)$/ }, async ({ path: file }) => ({
      contents: await readFile(file, 'utf8'),
      loader: 'text',
    }));
  },
};
