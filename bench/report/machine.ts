/** What the figures were taken on. */
import { createRequire } from 'node:module';
import { availableParallelism, cpus, totalmem } from 'node:os';

export function describeMachine(): string {
  const model = cpus()[0]?.model.trim() || 'unknown processor';
  const gigabytes = Math.round(totalmem() / 2 ** 30);
  return (
    `${availableParallelism()} cores (${model}), ${gigabytes} GB, ${process.platform} ${process.arch}; ` +
    `Node ${process.version}, workerd ${version('workerd')}, Miniflare ${version('miniflare')}`
  );
}

function version(name: string): string {
  const { version } = createRequire(import.meta.url)(`${name}/package.json`) as { version: string };
  return version;
}
