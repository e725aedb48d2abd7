/** What the platform would refuse of a plan is said before anything is changed, with the way out. */
import { describe, expect, it } from 'vitest';
import type { Account } from '../../deploy/account/account.ts';
import { desiredOf } from '../../deploy/desired.ts';
import { limitFindings } from '../../deploy/limits.ts';
import { planKeys } from '../../deploy/plan/key-plan.ts';
import { readPlan } from '../../deploy/plan/plan-files.ts';
import { secretNames } from '../../deploy/plan/secret-names.ts';

const EMPTY: Account = {
  subdomain: 'sub',
  workers: new Map(),
  queues: new Map(),
  databases: new Map(),
  buckets: new Set(),
  otherWorkers: 0,
};

interface Case {
  readonly keys?: readonly string[];
  readonly vars?: Record<string, unknown>;
  readonly otherWorkers?: number;
  readonly isFree?: boolean;
}

function said({ keys: provided = [], vars = {}, otherWorkers = 0, isFree = false }: Case): string[] {
  const keys = planKeys(provided);
  const plan = readPlan({ shards: keys.shards, vars });
  const desired = desiredOf(plan, secretNames(plan, keys), new Map(), isFree);
  const account = { ...EMPTY, otherWorkers };
  return limitFindings({ desired, account, isFree, provided }).map(
    ({ kind, about, message }) => `${kind} ${about}: ${message}`,
  );
}

const numbered = (count: number, prefix = 'KEY') =>
  Array.from({ length: count }, (_, index) => `${prefix}${index + 1}`);

const services = (count: number, path = '/run') =>
  Object.fromEntries(
    Array.from({ length: count }, (_, index) => [
      `service-${index}`,
      { baseUrl: `https://b${index}.example.com`, path },
    ]),
  );

describe('a plan that fits', () => {
  it('has no findings: 80 keys, and services for several variables', () => {
    expect(said({ keys: numbered(80), vars: { SERVICES: services(300) } })).toEqual([]);
  });
});

describe('what does not fit', () => {
  it('is a service that is larger than a variable, told once and by name', () => {
    expect(said({ vars: { SERVICES: services(1, `/${'x'.repeat(2_000)}`) } })).toEqual([]);
    const large = {
      ...services(3),
      large: {
        baseUrl: 'https://b.example.com',
        headers: { 'x-long': 'x'.repeat(4_096), 'x-more': 'x'.repeat(1_000) },
      },
    };
    expect(said({ vars: { SERVICES: large } })).toEqual([
      expect.stringMatching(
        /^refused tasklane-callback SERVICES_1: the service large takes 5\.\d KB.*PUT \/api\/services$/,
      ),
    ]);
  });

  it('is more variables and secrets on a consumer than a Worker has', () => {
    const pools = Array.from({ length: 17 }, (_, pool) => numbered(8, `KEY_P${'ABCDEFGHIJKLMNOPQ'[pool]}_`)).flat();
    expect(said({ keys: pools }).filter((line) => line.startsWith('refused'))).toEqual([
      expect.stringMatching(
        /^refused tasklane-consumer-0 variables: 14\d with secrets, and a Worker has 128; .*fewer pools/,
      ),
    ]);
  });

  it('is too many Workers in the account', () => {
    expect(said({ otherWorkers: 498 })).toEqual([
      expect.stringMatching(/^refused Workers: 3 beside 498 others, and an account has 500; remove old previews/),
    ]);
  });

  it('is, on the free plan, what only the paid one has; and what its queues forget is said', () => {
    expect(said({ otherWorkers: 98, isFree: true })).toEqual([
      expect.stringMatching(/^refused Workers: .*the free plan has 100/),
      expect.stringMatching(/^warning queues: keep messages for 24 h/),
      expect.stringMatching(/^warning Workers: have 10 ms of processor, 50 calls/),
    ]);
  });
});

describe('keys on GitHub', () => {
  it('are put into one secret when an environment would not hold them', () => {
    expect(said({ keys: numbered(100) })).toEqual([expect.stringMatching(/^warning GitHub: .*TASKLANE_KEYS/)]);
  });
});
