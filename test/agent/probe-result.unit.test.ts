import { describe, expect, it } from 'vitest';
import type { LocalService } from '../../agent/config.ts';
import {
  offeredServices,
  type ProbeResult,
  presencesAfter,
  readVersion,
  serviceEvents,
} from '../../agent/probe-result.ts';

const OCR: LocalService = { name: 'ocr', localUrl: 'http://127.0.0.1:9000', path: '/ocr', healthPath: '/health' };
const LLM: LocalService = { name: 'llm', localUrl: 'http://127.0.0.1:9001', path: '/llm', healthPath: '/' };

const answers = (name: string, version?: string): ProbeResult => ({ name, kind: 'answers', version });
const fails = (name: string): ProbeResult => ({ name, kind: 'fails', why: 'no answer in time' });
const refuses = (name: string): ProbeResult => ({ name, kind: 'refuses', why: 'ECONNREFUSED' });

function offeredAfter(...looks: ProbeResult[][]): (string | undefined)[][] {
  const presences = looks.reduce(presencesAfter, {});
  return offeredServices([OCR, LLM], presences).map(({ name, version }) => [name, version]);
}

describe('a local service', () => {
  it('is offered from the first look that it answers, with its version', () => {
    expect(offeredAfter([answers('ocr', '1.2.0'), fails('llm')])).toEqual([['ocr', '1.2.0']]);
    expect(offeredAfter([answers('ocr'), answers('llm')])).toEqual([
      ['ocr', undefined],
      ['llm', undefined],
    ]);
  });

  it('that is late once may be busy; twice in a row it is gone', () => {
    expect(offeredAfter([answers('ocr', '1')], [fails('ocr')])).toEqual([['ocr', '1']]);
    expect(offeredAfter([answers('ocr', '1')], [fails('ocr')], [fails('ocr')])).toEqual([]);
    expect(offeredAfter([answers('ocr')], [fails('ocr')], [answers('ocr')], [fails('ocr')])).toHaveLength(1);
  });

  it('whose port nobody holds is gone at once', () => {
    expect(offeredAfter([answers('ocr')], [refuses('ocr')])).toEqual([]);
  });

  it('does not come back by failing', () => {
    expect(offeredAfter([answers('ocr')], [refuses('ocr')], [fails('ocr')])).toEqual([]);
    expect(offeredAfter([fails('ocr')])).toEqual([]);
  });

  it('is published without its local address', () => {
    const [offered] = offeredServices([OCR], presencesAfter({}, [answers('ocr', '2')]));
    expect(offered).toEqual({ name: 'ocr', path: '/ocr', healthPath: '/health', version: '2' });
  });
});

describe('a version', () => {
  const header = (name: string) => (name === 'x-version' ? ' 3.1 ' : null);

  it.each([
    [{ json: 'version' }, '1.2.0'],
    [{ json: 'build.number' }, '7'],
    [{ json: 'build' }, undefined],
    [{ json: 'no.such.member' }, undefined],
    [{ header: 'x-version' }, '3.1'],
    [{ header: 'x-other' }, undefined],
    ['fixed', 'fixed'],
    [undefined, undefined],
  ])('is read from %j', (source, expected) => {
    expect(readVersion(source, header, '{"version":"1.2.0","build":{"number":7}}')).toBe(expected);
  });

  it('is unknown when the answer is no JSON, and is never long', () => {
    expect(readVersion({ json: 'version' }, header, 'OK')).toBeUndefined();
    expect(readVersion({ json: 'version' }, header, 'null')).toBeUndefined();
    expect(readVersion({ json: 'v' }, header, JSON.stringify({ v: 'x'.repeat(500) }))).toHaveLength(64);
  });
});

describe('what is told of services', () => {
  const offeredOcr = { name: 'ocr', path: '/ocr', healthPath: '/health', version: '1' };
  const offeredLlm = { name: 'llm', path: '/llm', healthPath: '/' };
  const why = () => 'ECONNREFUSED';

  it('is what came, what changed and what went, with the reason', () => {
    expect(serviceEvents([offeredOcr], [{ ...offeredOcr, version: '2' }, offeredLlm], why)).toEqual([
      { event: 'service-changed', name: 'ocr', version: '2', from: '1' },
      { event: 'service-up', name: 'llm', version: undefined },
    ]);
    expect(serviceEvents([offeredOcr], [], why)).toEqual([{ event: 'service-down', name: 'ocr', why: 'ECONNREFUSED' }]);
    expect(serviceEvents([offeredOcr], [offeredOcr], why)).toEqual([]);
  });
});
