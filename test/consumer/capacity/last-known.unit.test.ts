import { describe, expect, it } from 'vitest';
import { LastKnownServers } from '../../../consumer/capacity/last-known.ts';
import type { ServerAddress } from '../../../shared/registry/routing.ts';

const NOW = Date.UTC(2026, 10, 24);
const server = (id: string, tier = 1): ServerAddress => ({
  id,
  baseUrl: `https://${id}.example.net`,
  tier,
  capabilities: { gpu: tier > 1 },
});
const servers = [server('a'), server('b'), server('c', 2)];
const ids = (addresses: readonly ServerAddress[]) => addresses.map(({ id }) => id);

describe('the servers last known', () => {
  it('are none before an answer, and none of a service that was not asked for', () => {
    const known = new LastKnownServers();
    expect(known.pick('ocr', undefined, NOW, () => 0)).toEqual([]);
    known.note({ ocr: servers }, NOW);
    expect(known.pick('llm', undefined, NOW, () => 0)).toEqual([]);
  });

  it('are picked at random, with others behind', () => {
    const known = new LastKnownServers();
    known.note({ ocr: servers }, NOW);
    expect(ids(known.pick('ocr', undefined, NOW, () => 0))).toEqual(['a', 'b', 'c']);
    expect(ids(known.pick('ocr', undefined, NOW, () => 0.9))).toEqual(['c', 'a', 'b']);
  });

  it('meet what the task asks for', () => {
    const known = new LastKnownServers();
    known.note({ ocr: servers }, NOW);
    expect(ids(known.pick('ocr', { tier: 2 }, NOW, () => 0))).toEqual(['c']);
    expect(ids(known.pick('ocr', { capabilities: { gpu: false } }, NOW, () => 0))).toEqual(['a', 'b']);
    expect(known.pick('ocr', { tier: 9 }, NOW, () => 0)).toEqual([]);
  });

  it('are those of the last answer, also when it named none, for an hour', () => {
    const known = new LastKnownServers();
    known.note({ ocr: servers }, NOW);
    expect(known.pick('ocr', undefined, NOW + 3_600_001, () => 0)).toEqual([]);
    known.note({ ocr: [] }, NOW);
    expect(known.pick('ocr', undefined, NOW, () => 0)).toEqual([]);
  });
});

it('the lines of the latest are kept: every task may bring another flow', () => {
  const known = new LastKnownServers();
  for (let flow = 0; flow < 3_000; flow++) {
    known.note({ [`flow:alice/${flow}`]: [] }, NOW);
    known.noteLines({ ocr: NOW + 2_000, [`flow:alice/${flow}`]: NOW + 2_000 });
  }
  const kept = Array.from({ length: 3_000 }, (_, flow) => known.hasLine(`flow:alice/${flow}`, NOW)).filter(Boolean);
  expect(kept.length).toBeLessThanOrEqual(2_000);
  expect(known.hasLine('ocr', NOW)).toBe(true);
});

describe('others for failover', () => {
  it('are two at most, never the chosen one, and meet the same requirements', () => {
    const many = [...servers, server('d'), server('e')];
    const known = new LastKnownServers();
    known.note({ ocr: many, llm: [server('b')] }, NOW);
    expect(ids(known.othersOf('ocr', server('b'), undefined, () => 0))).toEqual(['a', 'c']);
    expect(ids(known.othersOf('ocr', server('b'), { tier: 1 }, () => 0.5))).toEqual(['d', 'e']);
    expect(known.othersOf('llm', server('b'), undefined, () => 0)).toEqual([]);
  });
});
