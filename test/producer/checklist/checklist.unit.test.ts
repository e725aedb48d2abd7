import { describe, expect, it } from 'vitest';
import { checklist, type DeploymentFacts } from '../../../producer/checklist/checklist.ts';

const NOW = Date.parse('2026-11-27T12:00:00Z');
const DAY = 86_400_000;

const secret = (name: string, fingerprint: string | undefined = name) => ({ name, weakness: undefined, fingerprint });

const READY: DeploymentFacts = {
  secrets: ['JWT_SECRET', 'ID_SECRET', 'CALLBACK_SECRET', 'WEBHOOK_SECRET'].map((name) => secret(name)),
  previousSecrets: [],
  publicUrl: 'https://tasks.example.com',
  allowsPrivateTargets: false,
  plainServices: [],
  corsOrigins: ['https://app.example.com'],
  limits: { REQUESTS_BY_ADDRESS: true, REQUESTS_BY_TOKEN: true, WRONG_TOKENS: true },
  bodies: 'answers',
  alerts: { hasReceiver: true, testedAt: NOW - DAY, evaluatedAt: NOW - 30_000 },
  sweptAt: NOW - 30_000,
  storeWarnings: [],
  notes: {
    backup: { at: NOW - DAY, by: 'root' },
    restore: { at: NOW - DAY, by: 'root' },
    rollback: { at: NOW - DAY, by: 'root' },
  },
};

const wanting = (facts: Partial<DeploymentFacts>) =>
  checklist({ ...READY, ...facts }, NOW)
    .filter(({ state }) => state !== 'ok')
    .map(({ item, state }) => (state === 'missing' ? item : `${item}: ${state}`));

describe('the checklist', () => {
  it('asks for nothing when everything is there', () => {
    expect(wanting({})).toEqual([]);
  });

  it.each<[string, Partial<DeploymentFacts>]>([
    ['secrets-strong', { secrets: [{ name: 'JWT_SECRET', weakness: 'it has words in it', fingerprint: undefined }] }],
    ['secrets-apart', { secrets: [secret('JWT_SECRET', 'f'), secret('ID_SECRET', 'f')] }],
    ['rotation-ended', { previousSecrets: ['JWT_SECRET_PREVIOUS'] }],
    ['https', { publicUrl: 'http://tasks.example.com' }],
    ['https', { publicUrl: undefined }],
    ['private-targets', { allowsPrivateTargets: true }],
    ['backends-https', { plainServices: ['ocr'] }],
    ['cors', { corsOrigins: ['http://localhost:3000'] }],
    ['bodies', { bodies: 'away' }],
    ['limits', { limits: { ...READY.limits, REQUESTS_BY_ADDRESS: false } }],
    ['alerts', { alerts: { hasReceiver: false, testedAt: NOW, evaluatedAt: NOW } }],
    ['alerts', { alerts: { hasReceiver: true, testedAt: undefined, evaluatedAt: NOW } }],
    ['alerts', { alerts: { hasReceiver: true, testedAt: NOW - 91 * DAY, evaluatedAt: NOW } }],
    ['alerts-round', { alerts: { hasReceiver: true, testedAt: NOW, evaluatedAt: NOW - 600_000 } }],
    ['sweep', { sweptAt: 'none' }],
    ['sweep', { sweptAt: NOW - 600_000 }],
    ['storage', { storeWarnings: ['store 0 is 91% full'] }],
    ['backup', { notes: { ...READY.notes, backup: { at: NOW - 9 * DAY, by: 'root' } } }],
    ['restore', { notes: { ...READY.notes, restore: { at: NOW - 181 * DAY, by: 'root' } } }],
    ['rollback', { notes: { backup: { at: NOW, by: 'r' }, restore: { at: NOW, by: 'r' } } }],
  ])('says that %s is missing with %j, and what to do', (item, facts) => {
    expect(wanting(facts)).toEqual([item]);
    const found = checklist({ ...READY, ...facts }, NOW).find((line) => line.item === item);
    expect(found?.remedy?.length).toBeGreaterThan(20);
  });

  it('says what it does not know, and does not call it well', () => {
    expect(wanting({ secrets: undefined, alerts: undefined, sweptAt: undefined, notes: undefined })).toEqual([
      'secrets-strong: unknown',
      'alerts: unknown',
      'sweep: unknown',
      'backup: unknown',
      'restore: unknown',
      'rollback: unknown',
    ]);
  });
});
