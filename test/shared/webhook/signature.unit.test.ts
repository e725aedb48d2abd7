/** What is signed is verified by the standard's own library, which this project does not sign with. */
import { Webhook } from 'standardwebhooks';
import { describe, expect, it } from 'vitest';
import { ownerSecrets, signedHeaders } from '../../../shared/webhook/signature.ts';

const CURRENT = 'webhook-secret-of-the-tests-32-bytes-or-more';
const PREVIOUS = 'older-webhook-secret-of-the-tests-32-bytes';
const body = JSON.stringify({ type: 'task.failed', data: { ref: 'Größe ☃' } });
const message = (at = Date.now()) => ({ id: 'tsk_06fkcm2m9g0000000000000000000000_w1', at, body });

const verifierOf = async (secrets: readonly string[], owner: string) => {
  const [secret = ''] = await ownerSecrets(secrets, owner);
  return new Webhook(secret);
};

describe('the signature of a message', () => {
  it('is verified with the secret of its owner', async () => {
    const verifier = await verifierOf([CURRENT], 'alice');
    expect(verifier.verify(body, await signedHeaders([CURRENT], 'alice', message()))).toEqual(JSON.parse(body));
  });

  it("is not verified with another owner's secret, nor after a change of the body or the id", async () => {
    const headers = await signedHeaders([CURRENT], 'alice', message());
    const bob = await verifierOf([CURRENT], 'bob');
    expect(() => bob.verify(body, headers)).toThrow('No matching signature');
    const alice = await verifierOf([CURRENT], 'alice');
    expect(() => alice.verify(`${body} `, headers)).toThrow('No matching signature');
    expect(() => alice.verify(body, { ...headers, 'webhook-id': 'other' })).toThrow('No matching signature');
  });

  it('is verified with the new and with the old secret while they are rotated', async () => {
    const headers = await signedHeaders([CURRENT, PREVIOUS], 'alice', message());
    expect(headers['webhook-signature']?.split(' ')).toHaveLength(2);
    for (const only of [CURRENT, PREVIOUS]) {
      const verifier = await verifierOf([only], 'alice');
      expect(verifier.verify(body, headers)).toEqual(JSON.parse(body));
    }
  });

  it('tells the time of the attempt: what is sent again after an hour is fresh, and a copy of the first is refused', async () => {
    const verifier = await verifierOf([CURRENT], 'alice');
    const hourAgo = await signedHeaders([CURRENT], 'alice', message(Date.now() - 3600_000));
    expect(() => verifier.verify(body, hourAgo)).toThrow('Message timestamp too old');
    expect(verifier.verify(body, await signedHeaders([CURRENT], 'alice', message()))).toEqual(JSON.parse(body));
  });

  it('gives both secrets to who has to verify during a rotation, the current one first', async () => {
    const [current] = await ownerSecrets([CURRENT], 'alice');
    const [previous] = await ownerSecrets([PREVIOUS], 'alice');
    expect(await ownerSecrets([CURRENT, PREVIOUS], 'alice')).toEqual([current, previous]);
    expect(current).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
  });
});
