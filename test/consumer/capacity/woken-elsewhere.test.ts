/** A task that was woken for a place at its service, and that its flow stops: the next of the service's line goes in its place. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { servicesSchema } from '../../../shared/service/definition.ts';
import { ok } from '../../protocol/backend.ts';
import { START } from '../../protocol/clock.ts';
import { House } from '../../protocol/house.ts';
import type { Letter } from '../../protocol/post.ts';
import { comeToRest } from '../../protocol/rest.ts';

const SECOND = 1_000;

let house: House;
beforeEach(async () => {
  house = await House.open();
  house.watching = false;
});
afterEach(() => house.close());

const inTens = (letters: readonly Letter[]) =>
  Array.from({ length: Math.ceil(letters.length / 10) }, (_, index) => letters.slice(index * 10, index * 10 + 10));

describe('a service of four places, in whose line tasks stand of a flow that has one', () => {
  it('is used to the full all the same', async () => {
    house.services = servicesSchema(true).parse({
      fetched: { baseUrl: 'http://backend.test', maxConcurrency: 4, timeoutSeconds: 100 },
    });
    const answerIn = (seconds: number) => house.backend.after(seconds * SECOND, ok());
    house.backend.fallback = answerIn(3);
    // Meanwhile the flow's tasks find a place in it, one after the other, and none at the service.
    for (let task = 0; task < 4; task++)
      house.backend.answer((await house.submit({ service: 'fetched' })).id, answerIn(60));
    const request = { path: '/work', flow: { name: 'flow:alice/books', concurrency: 1 } };
    for (let task = 0; task < 18; task++) await house.submit({ service: 'fetched', request });
    house.plan(START + 20 * SECOND, async () => {
      for (let task = 0; task < 18; task++) await house.submit({ service: 'fetched' });
    });
    await comeToRest(house, { batch: inTens });
    expect((await house.rows()).map((row) => row.status)).toEqual(Array(40).fill('succeeded'));
    const others = house.backend.calls.filter(({ id }) => house.promises.accepted.get(id)?.request.flow === undefined);
    const last = Math.max(...others.map(({ startedAt }) => startedAt));
    expect(last - START).toBeLessThan(80 * SECOND);
  });
});
