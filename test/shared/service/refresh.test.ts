import { afterEach, beforeEach, describe, expect, it, type MockInstance, vi } from 'vitest';
import { serviceSchema } from '../../../shared/service/definition.ts';
import { KnownServices } from '../../../shared/service/known-services.ts';
import { refreshServices } from '../../../shared/service/refresh.ts';

const schema = serviceSchema(true);
const known = () => new KnownServices({}, (definition) => schema.safeParse(definition).data);
const catalog = { version: 1, services: { llm: {} }, paused: [], limited: [] };

let warned: MockInstance;
beforeEach(() => {
  warned = vi.spyOn(console, 'warn').mockImplementation(() => {});
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

describe('refreshing the services', () => {
  it('asks with the version that is known, and takes the answer', async () => {
    const services = known();
    const read = vi.fn(async () => catalog);
    await refreshServices(services, { readServices: read });
    expect(read).toHaveBeenCalledExactlyOnceWith(0);
    expect(services.find('llm')).toBeDefined();
  });

  it('asks once for requests that come together, and all of them get the answer', async () => {
    const services = known();
    const answer = Promise.withResolvers<typeof catalog>();
    const read = vi.fn(() => answer.promise);
    const refreshed = Promise.all([
      refreshServices(services, { readServices: read }, { urgent: true }),
      refreshServices(services, { readServices: read }, { urgent: true }).then(() =>
        expect(services.find('llm')).toBeDefined(),
      ),
    ]);
    answer.resolve(catalog);
    await refreshed;
    expect(read).toHaveBeenCalledOnce();
  });

  it('keeps what is known when the registry fails, and says so', async () => {
    const services = known();
    services.take(catalog, 0);
    await refreshServices(services, { readServices: () => Promise.reject(new Error('no registry')) });
    expect(services.find('llm')).toBeDefined();
    expect(warned).toHaveBeenCalledWith(expect.stringContaining('no registry'));
  });

  it('waits a second for a registry that does not answer, and no longer', async () => {
    vi.useFakeTimers();
    const services = known();
    const refreshed = refreshServices(services, { readServices: () => new Promise(() => {}) });
    await vi.advanceTimersByTimeAsync(999);
    expect(services.isUnread).toBe(true);
    await vi.advanceTimersByTimeAsync(1);
    await refreshed;
    expect(services.isUnread).toBe(false);
  });
});
