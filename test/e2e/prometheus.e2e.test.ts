/**
 * A real Prometheus reads `/metrics` of a real local run. Skipped where Prometheus is not installed (Debian's package
 * `prometheus` has it, and `promtool`). `npm run test:scrape` scrapes for a minute; `npm test` for a part of it.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { freePort } from '../../local/port.ts';
import { signToken } from '../../shared/auth/token.ts';
import { Client, SECRETS, startPipeline } from './pipeline.ts';

const isInstalled = ['prometheus', 'promtool'].every((name) => spawnSync(name, ['--version']).status === 0);
/** One scrape may take as long as from one to the next: a busy machine is no failure of what is scraped. */
const INTERVAL_SECONDS = 3;
const SCRAPED_SECONDS = Number(process.env.SCRAPE_SECONDS ?? 15);

interface Series {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [number, string];
}

class Prometheus implements AsyncDisposable {
  readonly #url: string;
  readonly #child: ReturnType<typeof spawn>;
  readonly #dir: string;

  private constructor(url: string, child: ReturnType<typeof spawn>, dir: string) {
    this.#url = url;
    this.#child = child;
    this.#dir = dir;
  }

  static async scraping(target: string, token: string): Promise<Prometheus> {
    const dir = await mkdtemp(path.join(tmpdir(), 'tasklane-prometheus-'));
    const port = await freePort(0);
    const config = path.join(dir, 'prometheus.yml');
    const job = {
      job_name: 'tasklane',
      scrape_interval: `${INTERVAL_SECONDS}s`,
      scrape_timeout: `${INTERVAL_SECONDS}s`,
      authorization: { credentials: token },
      static_configs: [{ targets: [target] }],
    };
    // JSON is YAML.
    await writeFile(config, JSON.stringify({ scrape_configs: [job] }), { mode: 0o600 });
    const listens = `--web.listen-address=127.0.0.1:${port}`;
    const args = [`--config.file=${config}`, `--storage.tsdb.path=${dir}/data`, listens];
    return new Prometheus(`http://127.0.0.1:${port}`, spawn('prometheus', args, { stdio: 'ignore' }), dir);
  }

  async get<Data>(target: string): Promise<Data> {
    for (let tries = 0; ; tries++) {
      try {
        return ((await (await fetch(this.#url + target)).json()) as { data: Data }).data;
      } catch (error) {
        if (tries === 100) throw error;
        await sleep(100);
      }
    }
  }

  async query(expression: string): Promise<readonly Series[]> {
    const { result } = await this.get<{ result: Series[] }>(`/api/v1/query?query=${encodeURIComponent(expression)}`);
    return result;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    await ended;
    await rm(this.#dir, { recursive: true, force: true });
  }
}

describe.skipIf(!isInstalled)('Prometheus', () => {
  it('scrapes a deployment that works without a single failure, and counts what its client counts', async () => {
    await using pipeline = await startPipeline();
    const { url } = pipeline.run;
    const viewer = await signToken({ sub: 'prometheus', role: 'viewer' }, SECRETS.JWT_SECRET, 3600);
    const client = await Client.as(url, 'alice');
    await using prometheus = await Prometheus.scraping(new URL(url).host, viewer);
    const endAt = Date.now() + SCRAPED_SECONDS * 1000;
    let submitted = 0;
    while (Date.now() < endAt) {
      const ids = await client.submitMany(Array.from({ length: 5 }, () => ({ service: 'quick' })));
      await client.task(ids.at(-1) ?? '', 10);
      submitted += ids.length;
      await sleep(1_000);
    }
    const ended = `tasklane_tasks_ended_total{service="quick",status="succeeded"}`;
    // Counts are shown ten seconds late where tasks are few.
    await expect
      .poll(async () => Number((await prometheus.query(ended))[0]?.value[1]), { timeout: 30_000, interval: 500 })
      .toBe(submitted);

    const { activeTargets } = await prometheus.get<{ activeTargets: { lastError: string; health: string }[] }>(
      '/api/v1/targets',
    );
    expect(activeTargets).toMatchObject([{ lastError: '', health: 'up' }]);
    const [worst] = await prometheus.query('min_over_time(up{job="tasklane"}[5m])');
    expect(worst?.value[1]).toBe('1');
    const [scrapes] = await prometheus.query('count_over_time(up{job="tasklane"}[5m])');
    expect(Number(scrapes?.value[1])).toBeGreaterThan((SCRAPED_SECONDS / INTERVAL_SECONDS) * 0.7);
    const quantile = 'histogram_quantile(0.5, tasklane_task_end_seconds_bucket{service="quick"})';
    expect(Number((await prometheus.query(quantile))[0]?.value[1])).toBeGreaterThan(0);

    const text = await (await fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${viewer}` } })).text();
    expect(execFileSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' })).toBe('');
  });
});
