import { describe, expect, it } from 'vitest';
import type { ServiceCatalog } from '../../../shared/registry/routing.ts';
import { serviceSchema, servicesSchema } from '../../../shared/service/definition.ts';
import { KnownServices } from '../../../shared/service/known-services.ts';

const NOW = Date.UTC(2026, 10, 24);
const schema = serviceSchema(false);
const base = servicesSchema(false).parse({
  ocr: { baseUrl: 'https://ocr.example.com' },
  echo: { baseUrl: 'https://echo.example.com' },
});
const known = () => new KnownServices(base, (definition) => schema.safeParse(definition).data);
const catalog = (services: Record<string, unknown>, version = 1, paused: string[] = []): ServiceCatalog => ({
  version,
  services,
  paused,
  limited: [],
});

describe('the services that a Worker knows', () => {
  it('are those of the file, until the registry tells more', () => {
    const services = known();
    expect(services.all).toEqual(base);
    expect(services.find('ocr')?.baseUrl).toBe('https://ocr.example.com');
    expect(services.find('constructor')).toBeUndefined();
    expect(services.findPut('ocr')).toBeUndefined();
  });

  it('are those put at run time over those of the file', () => {
    const services = known();
    services.take(catalog({ ocr: { baseUrl: 'https://new.example.com' }, llm: {} }, 3, ['echo']), NOW);
    expect(services.find('ocr')?.baseUrl).toBe('https://new.example.com');
    expect(services.findPut('llm')).toMatchObject({ balancing: 'least-connections' });
    expect(services.find('echo')).toBe(base.echo);
    expect(services.isPaused('echo')).toBe(true);
    expect(services.version).toBe(3);
  });

  it('are paused until some time, or until they are resumed', () => {
    const services = known();
    const paused = ['echo', 'ocr'];
    services.take({ version: 2, services: {}, paused, pausedUntil: { ocr: NOW + 5 }, limited: [] }, NOW);
    expect(services.pauseOf('echo')).toEqual({ until: undefined });
    expect(services.pauseOf('ocr')).toEqual({ until: NOW + 5 });
    // Of a release that does not tell it.
    services.take({ version: 3, services: {}, paused: ['ocr'], limited: [] }, NOW);
    expect([services.pauseOf('echo'), services.pauseOf('ocr')]).toEqual([undefined, { until: undefined }]);
  });

  it('are those of the file again when a definition was deleted', () => {
    const services = known();
    services.take(catalog({ ocr: { baseUrl: 'https://new.example.com' }, llm: {} }), NOW);
    services.take(catalog({}, 2), NOW);
    expect(services.all).toEqual(base);
  });

  it('keep what was known of a definition that this release cannot read, and name it', () => {
    const services = known();
    services.take(catalog({ llm: { timeoutSeconds: 7 } }), NOW);
    expect(services.take(catalog({ llm: { sorcery: true }, new: { sorcery: true } }, 2), NOW)).toEqual(['llm', 'new']);
    expect(services.find('llm')?.timeoutSeconds).toBe(7);
    expect(services.find('new')).toBeUndefined();
  });

  it('stay as they are when they are current', () => {
    const services = known();
    services.take(catalog({ llm: {} }), NOW);
    const { all } = services;
    services.take(undefined, NOW + 1);
    expect(services.all).toBe(all);
  });
});

describe('reading them again', () => {
  it('is due after five seconds, and at once when something is missing', () => {
    const services = known();
    expect(services.shouldRead(NOW)).toBe(true);
    services.noteAsked(NOW);
    services.take(undefined, NOW);
    expect(services.shouldRead(NOW + 4_999)).toBe(false);
    expect(services.shouldRead(NOW + 5_000)).toBe(true);
    expect(services.shouldRead(NOW + 1_000, { urgent: true })).toBe(true);
  });

  it('is tried once a second at most, however urgent', () => {
    const services = known();
    services.noteAsked(NOW);
    expect(services.shouldRead(NOW + 999, { urgent: true })).toBe(false);
    expect(services.shouldRead(NOW + 1_000)).toBe(true);
    expect(services.shouldRead(NOW + 1, { changed: true })).toBe(true);
  });

  it('is under way until it is answered, fails, or takes too long', () => {
    for (const end of ['answer', 'failure', 'silence'] as const) {
      const services = known();
      services.noteAsked(NOW);
      expect(services.isAsking(NOW + 10), end).toBe(true);
      expect(services.isUnread, end).toBe(true);
      if (end === 'answer') services.take(undefined, NOW + 10);
      if (end === 'failure') services.noteFailed(NOW + 10);
      expect(services.isAsking(NOW + (end === 'silence' ? 1_000 : 11)), end).toBe(false);
      expect(services.isUnread, end).toBe(end === 'silence');
    }
  });
});
