import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { checkStrength, readInputs } from '../../../deploy/inputs/inputs.ts';
import { SecretValues } from '../../../deploy/inputs/secret-values.ts';
import { PlanError } from '../../../deploy/plan/plan.ts';

const WANTED = ['JWT_SECRET', 'JWT_SECRET_PREVIOUS', 'API_KEY'];

const problemOf = (environment: Record<string, string>) => {
  try {
    readInputs(environment, WANTED);
    return 'none';
  } catch (error) {
    if (!(error instanceof PlanError)) throw error;
    return error.message;
  }
};

describe('what the environment gives', () => {
  it('takes many keys from one secret, a line each', () => {
    const lines = 'KEY1=one\nKEY_GEMINI_1=two\nOTHER=three';
    expect(readInputs({ TASKLANE_KEYS: lines }, WANTED).keys.toSorted()).toEqual(['KEY1', 'KEY_GEMINI_1']);
    const json = JSON.stringify({ TASKLANE_KEYS: lines, KEY2: 'four' });
    expect(readInputs({ TASKLANE_SECRETS: json }, WANTED).keys.toSorted()).toEqual(['KEY1', 'KEY2', 'KEY_GEMINI_1']);
  });

  it('is keys and the secrets that are wanted, and nothing else of it', () => {
    const { values, keys } = readInputs(
      { KEY1: 'a', KEY_GEMINI_2: 'b', JWT_SECRET: 'c', PATH: '/bin', OTHER: 'x' },
      WANTED,
    );
    expect([...values.names].sort()).toEqual(['JWT_SECRET', 'KEY1', 'KEY_GEMINI_2']);
    expect([...keys].sort()).toEqual(['KEY1', 'KEY_GEMINI_2']);
  });

  it('comes from one JSON object as well, and a variable of its own wins', () => {
    const secrets = JSON.stringify({ KEY1: 'json', KEY2: 'two', github_token: 'not wanted', JWT_SECRET: 'of json' });
    const { values } = readInputs({ TASKLANE_SECRETS: secrets, KEY1: 'own' }, WANTED);
    expect([...values.names].sort()).toEqual(['JWT_SECRET', 'KEY1', 'KEY2']);
    expect(values.get('KEY1')).toBe('own');
  });

  it('loses the line break that a copied secret ends with', () => {
    expect(readInputs({ KEY1: ' abc\n' }, WANTED).values.get('KEY1')).toBe('abc');
  });

  it('says what is set to nothing', () => {
    const { values, emptied } = readInputs({ JWT_SECRET_PREVIOUS: '', KEY1: 'a' }, WANTED);
    expect([...emptied]).toEqual(['JWT_SECRET_PREVIOUS']);
    expect(values.has('JWT_SECRET_PREVIOUS')).toBe(false);
  });
});

describe('what is refused', () => {
  it('is a key under two names, in one pool or in two, named and not shown', () => {
    const twice = problemOf({ KEY1: 'the-same-key', KEY7: 'the-same-key ' });
    expect(twice).toMatch(/^KEY1 and KEY7 hold the same key/);
    expect(twice).not.toContain('the-same-key');
    expect(problemOf({ KEY1: 'x', KEY_GEMINI_1: 'x' })).toMatch(/^KEY1 and KEY_GEMINI_1/);
  });

  it('is a key that cannot go into a header', () => {
    expect(problemOf({ KEY1: 'two words' })).toMatch(/^KEY1: a key is printable ASCII/);
  });

  it.each(['{ "KEY1": "secret-val', '["secret-val"]', '{"KEY1": 5}', 'secret-val'])(
    'is JSON that is none: %s',
    (text) => {
      const problem = problemOf({ TASKLANE_SECRETS: text });
      expect(problem).toMatch(/^TASKLANE_SECRETS is not a JSON object of strings/);
      expect(problem).not.toContain('secret-val');
    },
  );

  it('is a secret too short to sign with', () => {
    expect(() => checkStrength(new SecretValues([['JWT_SECRET', 'short']]), ['JWT_SECRET'])).toThrow(
      /JWT_SECRET is too short/,
    );
  });
});

describe('secrets in memory', () => {
  const secrets = new SecretValues([['KEY1', 'very-secret']]);

  it('do not show when printed, logged or written as JSON', () => {
    for (const shown of [inspect(secrets, { depth: 9 }), JSON.stringify({ secrets }), `${secrets}`]) {
      expect(shown).not.toContain('very-secret');
      expect(shown).toContain('1 secrets');
    }
  });

  it('are taken out of what others say', () => {
    expect(secrets.redact('bad value very-secret!')).toBe('bad value [redacted]!');
  });
});
