/**
 * What is wrong with one task costs the others of its batch nothing. Rows of the table in `docs/protocol.md`.
 */
import { env } from 'cloudflare:workers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { NewTask } from '../../../shared/message/task-message.ts';
import { servicesSchema } from '../../../shared/service/definition.ts';
import { recordAccepted } from '../../../shared/store/accept.ts';
import { requestColumns } from '../../../shared/store/request-columns.ts';
import { House } from '../house.ts';
import { comeToRest } from '../rest.ts';

let house: House;
beforeEach(async () => {
  house = await House.open();
});
afterEach(() => house.close());

describe('a wake-up whose row a newer release wrote', () => {
  const rewrite = (id: string, request: string) =>
    env.DB.prepare('UPDATE tasks SET request = ?2 WHERE id = ?1').bind(id, request).run();

  it('is given back by itself, and no task of its batch loses an attempt', async () => {
    const newer = await house.mint({ service: 'fetched', maxAttempts: 1 });
    await house.callback('accept', ({ db }) => recordAccepted(db, [newer], Date.now()));
    const { request } = (await env.DB.prepare('SELECT request FROM tasks WHERE id = ?1').bind(newer.id).first<{
      request: string;
    }>())!;
    await rewrite(newer.id, '{"path":["of","another","kind"]}');
    await house.sweep();
    const mates = [await house.submit({ maxAttempts: 1 }), await house.submit({ maxAttempts: 1 })];
    await house.deliver();
    for (const { id } of mates) expect(await house.row(id)).toMatchObject({ status: 'succeeded', run: 1 });
    expect(house.backend.callsOf(newer.id)).toEqual([]);
    house.writes += 1;
    expect(await house.row(newer.id)).toMatchObject({ status: 'deferred', deferrals: 1, failures: 0 });
    await rewrite(newer.id, request);
    house.writes += 1;
    await comeToRest(house);
    expect(house.backend.callsOf(newer.id).map(({ attempt }) => attempt)).toEqual([1]);
  });
});

describe('a time-out of 1.2345 s', () => {
  it('stands as 1.235 s behind the edge of the definition, and its batch runs', async () => {
    house.services = servicesSchema(true).parse({
      fetched: { baseUrl: 'http://backend.test', timeoutSeconds: 1.2345 },
      bound: { binding: 'BACKEND' },
    });
    const odd = await house.submit({ service: 'fetched' });
    const mate = await house.submit();
    await house.deliver();
    for (const { id } of [odd, mate]) expect(await house.row(id)).toMatchObject({ status: 'succeeded', run: 1 });
  });

  it('of another release that does not round costs its own claim, and no other', async () => {
    const [odd, mate] = await Promise.all([house.mint(), house.mint()]);
    const claimOf = ({ id, request, ...task }: NewTask, leaseMs: number) => ({
      id,
      leaseMs,
      task: { ...task, ...requestColumns(request) },
    });
    const answers = await house.ledger((session) =>
      session.claim({ nonce: crypto.randomUUID(), claims: [claimOf(odd, 1_234.5), claimOf(mate, 61_000)] }),
    );
    expect(answers).toMatchObject([{ id: mate.id, granted: true }]);
  });
});
