import { describe, expect, it } from 'vitest';
import { reasonOf } from '../../shared/issue-reason.ts';
import { servicesSchema } from '../../shared/service/definition.ts';

/** What is said of the first thing that is wrong with a definition. */
function saidOf(definition: object): string | undefined {
  const [issue] = servicesSchema(true).safeParse({ ocr: definition }).error?.issues ?? [];
  return issue && reasonOf(issue);
}

describe('a field that a definition does not have', () => {
  it.each([
    // Another unit, or none.
    [{ timeoutMs: 1 }, 'timeoutSeconds'],
    [{ timeoutms: 1 }, 'timeoutSeconds'],
    [{ timeout_minutes: 1 }, 'timeoutSeconds'],
    [{ timeout: 1 }, 'timeoutSeconds'],
    [{ callbackTimeoutMillis: 1 }, 'callbackTimeoutSeconds'],
    [{ deadlineHours: 1 }, 'deadlineSeconds'],
    [{ retry: { capMs: 1 } }, 'capSeconds'],
    [{ retry: { cap: 1 } }, 'capSeconds'],
    [{ keyLimits: { requestsPerSecond: 1 } }, 'requestsPerMinute'],
    [{ keyLimits: { tokensPerDay: 1 } }, 'tokensPerMinute'],
    // Shortened.
    [{ rps: 1 }, 'requestsPerSecond'],
    [{ tpm: 1 }, 'keyLimits.tokensPerMinute'],
    [{ rpm: 1 }, 'requestsPerSecond or keyLimits.requestsPerMinute'],
    [{ keyLimits: { rpm: 1 } }, 'requestsPerMinute'],
    [{ keyLimits: { rpd: 1 } }, 'requestsPerMinute'],
    [{ keyLimits: { reqPerMin: 1 } }, 'requestsPerMinute'],
    [{ maxConc: 1 }, 'maxConcurrency'],
    [{ url: 'https://a.example.com' }, 'baseUrl or onComplete.url'],
    [{ perMinute: 1 }, 'keyLimits.requestsPerMinute'],
    [{ pool: 'default' }, 'keyPool'],
    [{ retry: { attempts: 1 } }, 'maxAttempts'],
    // A right name one level too high.
    [{ requestsPerMinute: 1 }, 'requestsPerSecond or keyLimits.requestsPerMinute'],
    [{ requests_per_minute: 1 }, 'requestsPerSecond or keyLimits.requestsPerMinute'],
    [{ concurrency: 1 }, 'maxConcurrency or keyLimits.concurrency'],
    [{ maxAttempts: 1 }, 'retry.maxAttempts'],
    [{ baseSeconds: 1 }, 'retry.baseSeconds'],
    [{ bucket: '/model' }, 'keyLimits.bucket'],
    [{ tasksPerMinute: 1 }, 'perClient.tasksPerMinute'],
    [{ origins: [] }, 'auth.origins'],
  ])('%j: the one that was meant is told', (definition, meant) => {
    expect(saidOf(definition)).toBe(`is not known here; did you mean ${meant}?`);
  });

  it.each(['sorcery', 'ms', 'x', 'secondsOfSilence', 'streaming', 'q'.repeat(65)])('%s is close to none', (name) => {
    expect(saidOf({ [name]: 1 })).toBe('is not known here; correct its name or remove it');
  });

  it('is told beside others, each its own', () => {
    expect(saidOf({ timeoutMs: 1, sorcery: 1, rpm: 1 })).toBe(
      'is not known here; did you mean timeoutSeconds?; is not known here; correct its name or remove it; ' +
        'is not known here; did you mean requestsPerSecond or keyLimits.requestsPerMinute?',
    );
  });
});
