import { expect, it } from 'vitest';
import { decodeCursor, encodeCursor } from '../../../producer/view/cursor.ts';

const ID = `tsk_${'0123456789abcdefghjkmnpqrstvwxyz'}`;

it('a cursor leads back to the id it was made from', () => {
  expect(decodeCursor(encodeCursor(ID))).toBe(ID);
});

it.each(['', 'x', '%%%', btoa('1.tsk_short'), btoa(ID), btoa(`2.${ID}`), btoa(`1.${ID}' OR 1`)])(
  'a cursor that is not ours (%j) is refused',
  (cursor) => {
    expect(decodeCursor(cursor)).toBeUndefined();
  },
);
