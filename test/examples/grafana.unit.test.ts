import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = path.resolve(import.meta.dirname, '../..');
const read = (file: string) => readFileSync(path.join(ROOT, file), 'utf8');

describe('the Grafana dashboard', () => {
  it('asks for metrics that exist', () => {
    const dashboard = JSON.parse(read('examples/grafana/tasklane.json')) as {
      panels: { targets: { expr: string }[] }[];
    };
    const asked = dashboard.panels.flatMap(({ targets }) =>
      targets.flatMap(({ expr }) => expr.match(/tasklane_[a-z_]+/g) ?? []),
    );
    const sources = ['producer/statistics/metrics.ts', 'producer/statistics/collect.ts'].map(read).join('\n');
    expect(asked.length).toBeGreaterThan(10);
    for (const name of asked) expect(sources, name).toContain(`'${name.replace(/_bucket$/, '')}'`);
  });
});
