import { describe, expect, it } from 'vitest';
import { targetOfLine } from '../../../shared/capacity/line.ts';
import { FlowSchema, flowName, isFlowName, shardOfFlow } from '../../../shared/flow/flow.ts';
import { SERVICE_NAME_PATTERN } from '../../../shared/service/definition.ts';

describe('the name of a flow', () => {
  it('is of its submitter and key alone, and of no service', () => {
    const names = [
      flowName('alice', 'a'),
      flowName('alice', 'b'),
      flowName('bob', 'a'),
      flowName('alice/x', 'a'),
      flowName('a b', 'a'),
      flowName('a_b', 'a'),
      flowName('a'.repeat(255), 'a'),
      flowName(`${'a'.repeat(254)}b`, 'a'),
    ];
    expect(new Set(names).size).toBe(names.length);
    for (const name of names) {
      expect(isFlowName(name), name).toBe(true);
      expect(name).not.toMatch(SERVICE_NAME_PATTERN);
      expect(targetOfLine(name)).toEqual({ kind: 'flow', flow: name });
    }
    expect(isFlowName('ocr')).toBe(false);
  });

  it('is spread over the objects that look after flows', () => {
    const shards = Array.from({ length: 1_000 }, (_, at) => shardOfFlow(flowName('alice', `customer-${at}`)));
    const counts = [...Map.groupBy(shards, (shard) => shard).values()].map(({ length }) => length);
    expect(counts).toHaveLength(16);
    expect(Math.min(...counts)).toBeGreaterThan(30);
  });
});

it.each([
  [{ key: 'a b' }, 'key'],
  [{ key: 'a', concurrency: 0 }, 'concurrency'],
  [{ key: 'a', periodSeconds: 60 }, 'periodSeconds'],
])('%o is refused for its %s', (flow, field) => {
  expect(FlowSchema.safeParse(flow).error?.issues[0]?.path).toEqual([field]);
});
