import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { watchFolders } from '../../local/source-watch.ts';

let root = '';
let told: string[] = [];
let stop = () => {};

beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'tasklane-watch-'));
  for (const folder of ['producer/schema', 'dashboard/dist', 'migrations/schema']) {
    await mkdir(path.join(root, folder), { recursive: true });
  }
  await write('producer/schema/task.ts');
  told = [];
  stop = watchFolders(root, ['producer', 'dashboard', 'migrations'], (file) => told.push(file));
});

afterEach(async () => {
  stop();
  await rm(root, { recursive: true });
});

const write = (file: string) => writeFile(path.join(root, file), String(Math.random()));

/** As editors save and git checks out: a new file in the old one's place. */
async function replace(file: string): Promise<void> {
  await write(`${file}.draft`);
  await rename(path.join(root, `${file}.draft`), path.join(root, file));
}

async function hears(file: string): Promise<void> {
  await expect.poll(() => told, { timeout: 15_000 }).toContain(file);
  // A write is told more than once: whatever was under way comes before what is told of a later one.
  const marker = `producer/marker-${crypto.randomUUID()}.ts`;
  await write(marker);
  await expect.poll(() => told, { timeout: 15_000 }).toContain(marker);
  told = [];
}

describe('a watch of sources', () => {
  it('hears of a file that is written, in whichever folder', async () => {
    await write('producer/schema/task.ts');
    await hears('producer/schema/task.ts');
    await write('producer/index.ts');
    await hears('producer/index.ts');
  });

  it('hears of a file again after it was replaced', async () => {
    await replace('producer/schema/task.ts');
    await hears('producer/schema/task.ts');
    await write('producer/schema/task.ts');
    await hears('producer/schema/task.ts');
    await replace('producer/schema/task.ts');
    await hears('producer/schema/task.ts');
  });

  it('hears of files in a folder that is made later', async () => {
    await mkdir(path.join(root, 'producer/rooms'));
    await hears('producer/rooms');
    await write('producer/rooms/room.ts');
    await hears('producer/rooms/room.ts');
  });

  it('goes on when a folder is deleted', async () => {
    await rm(path.join(root, 'producer/schema'), { recursive: true });
    await hears('producer/schema');
    await write('producer/index.ts');
    await hears('producer/index.ts');
  });

  it('leaves out what builds write, and what editors write beside a file', async () => {
    const files = [
      'dashboard/dist/main.js.txt',
      'migrations/schema/tasklane.sql',
      'producer/.task.ts.swp',
      'producer/a~',
    ];
    for (const file of files) await write(file);
    await write('producer/last.ts');
    await expect.poll(() => told, { timeout: 15_000 }).toContain('producer/last.ts');
    expect(new Set(told)).toEqual(new Set(['producer/last.ts']));
  });
});
