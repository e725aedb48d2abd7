/** Secrets that nobody gives: made where no Worker has them, asked for where another one does, and never made anew. */
import { describe, expect, it } from 'vitest';
import type { AccountWorker } from '../../../deploy/account/account.ts';
import type { DesiredWorker } from '../../../deploy/desired.ts';
import { heldElsewhereText, lackingSecrets } from '../../../deploy/diff/lacking.ts';

const worker = (name: string, required: readonly string[], optional: readonly string[] = []): DesiredWorker => ({
  name,
  kind: 'consumer',
  config: {} as DesiredWorker['config'],
  secrets: [...required, ...optional],
  requiredSecrets: required,
});

const account = (held: Readonly<Record<string, readonly string[]>>): ReadonlyMap<string, AccountWorker> =>
  new Map(
    Object.entries(held).map(([name, secrets]) => [
      name,
      { name, secrets: new Set(secrets) } as unknown as AccountWorker,
    ]),
  );

const NONE: ReadonlySet<string> = new Set();

describe('a secret that a new Worker needs', () => {
  const wanted = [worker('producer', ['HOOK']), worker('consumer-1', ['HOOK']), worker('consumer-2', ['HOOK'])];

  it('can be made when no Worker has it', () => {
    expect(lackingSecrets(wanted, account({}), NONE, NONE)).toEqual({ nowhere: ['HOOK'], elsewhere: [], findings: [] });
  });

  it('is asked for when another one has it, once for all that need it', () => {
    const { nowhere, elsewhere, findings } = lackingSecrets(wanted, account({ producer: ['HOOK'] }), NONE, NONE);
    expect({ nowhere, findings }).toEqual({ nowhere: [], findings: [] });
    expect(elsewhere.map(heldElsewhereText)).toEqual([
      'HOOK: consumer-1, consumer-2 need it, and producer has it but an account tells no values; set HOOK in the environment to the value that it has',
    ]);
  });

  it('is not asked for when it is given, and is when it is set to nothing', () => {
    const held = account({ producer: ['HOOK'] });
    expect(lackingSecrets(wanted, held, new Set(['HOOK']), NONE).elsewhere).toEqual([]);
    expect(lackingSecrets(wanted, held, NONE, new Set(['HOOK'])).elsewhere).toHaveLength(1);
  });
});

describe('a secret that a Worker can do without', () => {
  const wanted = [worker('consumer-0', [], ['HOOK_PREVIOUS']), worker('consumer-1', [], ['HOOK_PREVIOUS'])];

  it('is not spoken of when nobody has it, or when it is set to nothing', () => {
    const held = account({ 'consumer-0': ['HOOK_PREVIOUS'] });
    expect(lackingSecrets(wanted, account({}), NONE, NONE).findings).toEqual([]);
    expect(lackingSecrets(wanted, held, NONE, new Set(['HOOK_PREVIOUS'])).findings).toEqual([]);
  });

  it('is warned of when the others have it and a new one would not', () => {
    expect(lackingSecrets(wanted, account({ 'consumer-0': ['HOOK_PREVIOUS'] }), NONE, NONE).findings).toEqual([
      {
        kind: 'warning',
        about: 'HOOK_PREVIOUS',
        message:
          'consumer-0 has it, and consumer-1 would not; set it in the environment, or to nothing to take it from all',
      },
    ]);
  });
});

describe('keys that would move to another shard', () => {
  it('are refused without their values', () => {
    const wanted = [worker('consumer-0', [], ['KEY1', 'KEY9'])];
    const held = account({ 'consumer-0': ['KEY1'], 'consumer-1': ['KEY9'] });
    expect(lackingSecrets(wanted, held, NONE, NONE).findings).toEqual([
      {
        kind: 'refused',
        about: 'KEY9',
        message: 'would move to another shard, and the account tells no values; give all keys in the environment',
      },
    ]);
    expect(lackingSecrets(wanted, held, new Set(['KEY1', 'KEY9']), NONE).findings).toEqual([]);
  });
});
