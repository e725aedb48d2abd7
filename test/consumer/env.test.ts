import { env } from 'cloudflare:workers';
import { expect, it } from 'vitest';
import { readEnv } from '../../consumer/env.ts';

it("takes the secrets of a service's headers out of what its backend sends back", () => {
  const consumer = readEnv({
    SHARD: '0',
    PUBLIC_URL: 'https://tasks.example.com',
    SERVICES: {
      ocr: { baseUrl: 'https://ocr.example.com', headers: { 'x-api-key': { secret: 'OCR_KEY' }, 'x-team': 'blue' } },
      other: { baseUrl: 'https://other.example.com' },
    },
    WEBHOOK_SECRET: env.WEBHOOK_SECRET,
    OCR_KEY: 'recognisable-secret\n',
    LEDGER: {},
    REGISTRY: {},
    OWN_QUEUE: {},
    KEY_POOL: env.KEY_POOL,
  });
  const echo = 'x-api-key: recognisable-secret, x-team: blue';
  expect(consumer.redactor({ service: 'ocr' }).text(echo)).toBe('x-api-key: [redacted], x-team: blue');
  expect(consumer.redactor({ service: 'other' }).text(echo)).toBe(echo);
});
