import { describe, expect, it } from 'vitest';
import { boundaryViolations, emptyBoundaries, type ImportEdge } from '../../checks/boundary.ts';

const file = (from: string, to: string): ImportEdge => ({ from, to, kind: 'file', line: 1 });
const pack = (from: string, to: string): ImportEdge => ({ from, to, kind: 'package', line: 1 });

describe('import boundaries', () => {
  it.each([
    file('shared/store/accept.ts', 'consumer/index.ts'),
    file('producer/index.ts', 'callback/task-requests.ts'),
    file('shared/task/transition.ts', 'shared/store/row.ts'),
    file('local/start.ts', 'test/setup.ts'),
    file('examples/services.ts', 'local/start.ts'),
    file('bench/workers/producer.ts', 'deploy/plan/plan.ts'),
    pack('shared/task/id.ts', 'cloudflare:workers'),
    pack('consumer/index.ts', 'node:fs'),
    pack('local/start.ts', 'cloudflare:workers'),
  ])('refuses $from → $to', (edge) => {
    expect(boundaryViolations([edge])).toEqual([`${edge.from}:1 may not import ${edge.to}`]);
  });

  it.each([
    file('producer/index.ts', 'shared/task/id.ts'),
    file('producer/index.ts', 'producer/env.ts'),
    file('shared/store/row.ts', 'shared/task/state.ts'),
    file('bench/run.ts', 'local/runtime.ts'),
    file('test/consumer/turns.test.ts', 'consumer/call/turns.ts'),
    pack('callback/index.ts', 'cloudflare:workers'),
    pack('shared/task/content.ts', 'zod'),
    pack('local/start.ts', 'node:fs'),
  ])('allows $from → $to', (edge) => {
    expect(boundaryViolations([edge])).toEqual([]);
  });

  it('are around rooms that are there', () => {
    expect(emptyBoundaries(['shared/task/id.ts'])).toContain('checks/boundary.ts speaks of agent/, where no file is');
    expect(emptyBoundaries(['agent/main.ts'])).not.toContainEqual(expect.stringContaining(' agent/'));
  });
});
