import { env } from 'cloudflare:workers';
import { expect, it } from 'vitest';
import { readEnv } from '../../consumer/env.ts';

it('signs messages with the secret before, too, while it is rotated', () => {
  const bindings = { SHARD: '0', PUBLIC_URL: 'https://tasks.example.com', WEBHOOK_SECRET: env.WEBHOOK_SECRET };
  const needed = { LEDGER: {}, REGISTRY: {}, OWN_QUEUE: {}, KEY_POOL: env.KEY_POOL };
  expect(readEnv({ ...bindings, ...needed }).webhookSecrets).toEqual([env.WEBHOOK_SECRET]);
  const previous = 'older-webhook-secret-of-the-tests-32-bytes';
  const rotated = readEnv({ ...bindings, ...needed, WEBHOOK_SECRET_PREVIOUS: previous });
  expect(rotated.webhookSecrets).toEqual([env.WEBHOOK_SECRET, previous]);
});

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
