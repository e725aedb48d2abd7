import { describe, expect, it } from 'vitest';
import { Quotas } from '../../../callback/services/quotas.ts';
import { rateLimitOf } from '../../../consumer/keys/provider/rate-limit-fields.ts';
import { ClientQuotaSchema, quotaHeaders, violatedPolicies } from '../../../shared/service/client-quota.ts';

const NOW = 1_780_000_000_000;

describe('a quota of tasks a minute', () => {
  const quota = { tasksPerMinute: 10 };

  it('lets in what the last minute left, and says when there is more', () => {
    const quotas = new Quotas();
    expect(quotas.admit('a', quota, 7, NOW)).toMatchObject({ granted: 7, tasks: 3 });
    expect(quotas.admit('a', quota, 7, NOW + 10_000)).toMatchObject({ granted: 3, tasks: 0, retryAfterSeconds: 50 });
    expect(quotas.admit('a', quota, 1, NOW + 59_000)).toMatchObject({ granted: 0, retryAfterSeconds: 1 });
    expect(quotas.admit('a', quota, 9, NOW + 60_001)).toMatchObject({ granted: 7 });
  });

  it('is each client’s own, and needs no count of tasks', () => {
    const quotas = new Quotas();
    quotas.admit('a', quota, 10, NOW);
    expect(quotas.admit('b', quota, 10, NOW)).toMatchObject({ granted: 10 });
    expect(quotas.mustCount('c', quota, 5, NOW)).toBe(false);
  });
});

describe('a quota of open tasks', () => {
  const quota = { open: 100 };

  it('counts at the start, and again only when it may be used up, and not every time', () => {
    const quotas = new Quotas();
    expect(quotas.mustCount('a', quota, 1, NOW)).toBe(true);
    quotas.noteCount('a', 20, NOW);
    expect(quotas.mustCount('a', quota, 80, NOW + 1)).toBe(false);
    expect(quotas.admit('a', quota, 80, NOW + 1)).toMatchObject({ granted: 80, open: 0 });
    expect(quotas.mustCount('a', quota, 1, NOW + 2)).toBe(false);
    expect(quotas.admit('a', quota, 1, NOW + 2)).toMatchObject({ granted: 0, retryAfterSeconds: 5 });
    expect(quotas.mustCount('a', quota, 1, NOW + 2_000)).toBe(true);
  });

  it('takes for open what was accepted in the last ten seconds, recorded or not', () => {
    const quotas = new Quotas();
    quotas.noteCount('a', 0, NOW);
    quotas.admit('a', quota, 60, NOW);
    quotas.noteCount('a', 0, NOW + 5_000);
    expect(quotas.admit('a', quota, 100, NOW + 5_000)).toMatchObject({ granted: 40 });
    quotas.noteCount('a', 30, NOW + 15_001);
    expect(quotas.admit('a', quota, 100, NOW + 15_001)).toMatchObject({ granted: 70 });
  });
});

describe('the header fields', () => {
  const quota = { open: 50, tasksPerMinute: 600 };

  it('are lists of policies and of what is left, both of the service', () => {
    const state = { granted: 1, open: 3, tasks: 12, tasksResetSeconds: 29.2, retryAfterSeconds: 5 };
    const fields = quotaHeaders('ocr', quota, state);
    expect(fields).toEqual({
      'ratelimit-policy': '"tasks";q=600;w=60;pk=:b2Ny:, "open";q=50;qu="concurrent-requests";pk=:b2Ny:',
      ratelimit: '"tasks";r=12;t=30;pk=:b2Ny:, "open";r=3;pk=:b2Ny:',
    });
    // They are structured fields, and what reads a provider's reads them.
    expect(rateLimitOf(new Map(Object.entries(fields)))).toMatchObject([{ name: 'tasks' }, { name: 'open' }]);
    expect(ClientQuotaSchema.safeParse({}).success).toBe(false);
  });

  it('name what is used up alone where a task is refused: no window ends after Retry-After', () => {
    const state = { granted: 0, open: 0, tasks: 12, tasksResetSeconds: 29.2, retryAfterSeconds: 5 };
    expect(quotaHeaders('ocr', quota, state).ratelimit).toBe('"open";r=0;pk=:b2Ny:');
    expect(violatedPolicies(state)).toEqual(['open']);
  });
});
