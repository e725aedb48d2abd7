/** The services of the demo: what one would write under `[vars.SERVICES]` in wrangler.toml. */
import type * as z from 'zod';
import type { ServiceDefinitionSchema } from '../shared/service/definition.ts';

type ServiceInput = z.input<typeof ServiceDefinitionSchema>;

/** @param baseUrl where the example backend listens */
export function exampleServices(baseUrl: string) {
  // Short delays, so that a demo and a test see the end of it.
  const retry = { maxAttempts: 5, baseSeconds: 1, capSeconds: 4 };
  return {
    quick: { baseUrl, path: '/quick' },
    slow: { baseUrl, path: '/slow', timeoutSeconds: 60 },
    flaky: { baseUrl, path: '/flaky', retry },
    broken: { baseUrl, path: '/broken', retry },
    busy: { baseUrl, path: '/busy', retry },
    async: { baseUrl, path: '/async', callbackTimeoutSeconds: 60, cancelPath: '/async/{id}', retry },
    random: { baseUrl, path: '/random', retry: { ...retry, maxAttempts: 10 } },
    echo: { baseUrl, path: '/echo' },
    // Lives on the servers that register for it: `npm run example:server` and an agent beside it.
    work: { path: '/run', balancing: 'peak-ewma', retry },
  } satisfies Record<string, ServiceInput>;
}

/** @param baseUrl where the example provider listens; it limits its keys to 60 requests a minute */
export function providerServices(baseUrl: string) {
  return {
    llm: { baseUrl, path: '/v1/chat/completions', keyPool: 'default' },
    gemini: {
      baseUrl,
      path: '/v1beta/models/example:generateContent',
      keyPool: 'default',
      auth: { header: 'x-goog-api-key' },
    },
  } satisfies Record<string, ServiceInput>;
}
