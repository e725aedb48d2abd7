import { expect, it } from 'vitest';
import { differences, fieldsOf } from '../../../producer/idempotency/fields.ts';

const ONE = { service: 'echo', payload: { a: 1, b: [{ c: null, d: 'x' }] }, labels: { customer: 'acme' } };

it('white space and the order of members make no other body', async () => {
  const reordered = JSON.parse(
    '{ "labels": {"customer":"acme"}, "payload": { "b": [ {"d": "x", "c": null} ], "a": 1 }, "service": "echo" }',
  );
  expect(differences(await fieldsOf(ONE), await fieldsOf(reordered))).toEqual([]);
});

it('the order of items, a value and an absent member make another body, which is named', async () => {
  const other = { service: 'echo', payload: { a: 1, b: [{ c: null, d: 'y' }] }, path: '/v2' };
  expect(differences(await fieldsOf(ONE), await fieldsOf(other))).toEqual(['/labels', '/path', '/payload']);
  const turned = await fieldsOf({ list: [2, 1] });
  expect(differences(await fieldsOf({ list: [1, 2] }), turned)).toEqual(['/list']);
});

it('nothing of what was sent can be read from it, and the key is no part of it', async () => {
  const fields = await fieldsOf({ ...ONE, idempotencyKey: 'order-77' });
  expect(JSON.stringify(fields)).not.toContain('acme');
  expect(fields.map(([name]) => name)).toEqual(['labels', 'payload', 'service']);
});
