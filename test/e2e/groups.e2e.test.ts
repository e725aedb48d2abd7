/** Messages about ends, and groups, over real HTTP: submitted, run, told to a receiver that verifies, waited for, cancelled. */
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Client, type Pipeline, startPipeline } from './pipeline.ts';
import { Receiver } from './receiver.ts';

interface Group {
  readonly status: string;
  readonly total: number;
  readonly done: number;
  readonly progress: number;
  readonly counts: Record<string, number>;
  readonly messageId?: string;
}

interface Seen {
  readonly status?: string;
  readonly waitingFor?: { readonly reason: string };
}

let pipeline: Pipeline;
let alice: Client;
const receiver = new Receiver();

beforeAll(async () => {
  pipeline = await startPipeline();
  await receiver.listen();
  alice = await Client.as(pipeline.run.url, 'alice');
  const { body } = await alice.call<{ secrets: string[] }>('GET', '/api/webhooks/secret');
  receiver.verifier = new Webhook(body.secrets[0] ?? '');
});
afterAll(async () => {
  await receiver[Symbol.asyncDispose]();
  await pipeline?.[Symbol.asyncDispose]();
});
beforeEach(() => {
  receiver.received.length = 0;
});

const hook = (path = '/tasks') => ({ url: receiver.url + path });
const groupOf = async (id: string, wait = 20) =>
  (await alice.call<Group>('GET', `/api/groups/${id}?wait=${wait}`)).body;

describe('the end of a task', () => {
  it('is told to its hook, signed, and the message is a task that can be looked at', async () => {
    const id = await alice.submit({ service: 'quick', ref: 'order-77', onComplete: hook() });
    await receiver.has(1);
    expect(receiver.received).toEqual([
      {
        id: `${id}_w1`,
        path: '/tasks',
        contentType: 'application/json',
        event: {
          type: 'task.succeeded',
          timestamp: expect.any(String),
          data: expect.objectContaining({ id, ref: 'order-77', taskUrl: `${pipeline.run.url}/api/task/${id}` }),
        },
      },
    ]);
    expect(await alice.task(`${id}_w1`, 10)).toMatchObject({ status: 'succeeded', attempts: 1 });
    expect((await (await Client.as(pipeline.run.url, 'bob')).call('GET', `/api/task/${id}_w1`)).status).toBe(404);
  });

  it('comes as CloudEvents where that is asked for, after a receiver that failed at first', async () => {
    receiver.answers.push({ status: 500 });
    const id = await alice.submit({
      service: 'broken',
      onComplete: { ...hook('/events'), format: 'cloudevents', on: ['failed'] },
    });
    await receiver.has(1);
    expect(receiver.received[0]).toMatchObject({
      path: '/events',
      contentType: 'application/cloudevents+json; charset=utf-8',
      event: { specversion: '1.0', type: 'task.failed', subject: id, data: { errorClass: 'http', httpStatus: 422 } },
    });
    expect(await alice.task(`${id}_w1`, 10)).toMatchObject({ status: 'succeeded', attempts: 2 });
  });

  it('waits while its hook is paused, and is told when it is resumed', async () => {
    receiver.answers.push({ status: 410 });
    const gone = await alice.submit({ service: 'quick', onComplete: hook('/moved') });
    expect(await alice.task(`${gone}_w1`, 10)).toMatchObject({ status: 'failed' });
    // A consumer goes by what it read within the last seconds: a message or two may still leave.
    let held = '';
    const seen = async () => {
      const { status, waitingFor } = (await alice.call<Seen>('GET', `/api/task/${held}`)).body;
      return status === 'succeeded' ? 'left' : waitingFor?.reason;
    };
    await expect
      .poll(async () => {
        held = `${await alice.submit({ service: 'quick', onComplete: hook('/moved') })}_w1`;
        await expect.poll(seen).toMatch(/^(left|paused)$/);
        return seen();
      })
      .toBe('paused');
    const told = () => receiver.received.filter(({ id }) => id === held).length;
    expect(told()).toBe(0);
    await alice.call('POST', '/api/webhooks/resume', { url: `${receiver.url}/moved` });
    await expect.poll(told).toBe(1);
  });
});

describe('a group', () => {
  it('of a batch is waited for, counted, found and told of once', async () => {
    const { status, body } = await alice.call<{ group: unknown; results: unknown[] }>('POST', '/api/tasks/batch', {
      group: { id: 'night-1', onComplete: hook('/groups') },
      tasks: [...Array.from({ length: 24 }, () => ({ service: 'quick' })), { service: 'broken' }],
    });
    expect({ status, group: body.group }).toEqual({ status: 202, group: { id: 'night-1', closed: true } });
    const group = await groupOf('night-1');
    expect(group).toMatchObject({
      status: 'ended',
      total: 25,
      done: 25,
      progress: 100,
      counts: { succeeded: 24, failed: 1 },
    });
    await receiver.has(1);
    expect(receiver.received.map(({ id, event }) => [id, event.type, event.data.failed])).toEqual([
      [group.messageId, 'group.completed', 1],
    ]);
    expect(await alice.list('&group=night-1&status=failed')).toHaveLength(1);
    const again = await alice.call<{ results: { problem?: { type: string } }[] }>('POST', '/api/tasks/batch', {
      group: 'night-1',
      tasks: [{ service: 'quick' }],
    });
    expect(again.body.results[0]?.problem?.type).toBe('/docs/problems/group-closed');
  });

  it('of 500 tasks that is cancelled ends with one message', async () => {
    await alice.call('POST', '/api/groups', { id: 'night-2', onComplete: hook('/groups') });
    await alice.submitMany(
      Array.from({ length: 500 }, () => ({ service: 'quick', group: 'night-2', delaySeconds: 600 })),
    );
    expect(await groupOf('night-2', 0)).toMatchObject({ status: 'open', total: 500, counts: { open: 500 } });
    const { body } = await alice.call<Group>('POST', '/api/groups/night-2/cancel');
    expect(body).toMatchObject({ status: 'ended', counts: { open: 0, cancelled: 500 } });
    // A second message of the first group would come before the one of the next.
    await receiver.has(1);
    await alice.call('POST', '/api/groups', { id: 'night-3', onComplete: hook('/groups') });
    await alice.submit({ service: 'quick', group: 'night-3' });
    await alice.call('POST', '/api/groups/night-3/close');
    await receiver.has(2);
    expect(receiver.received.map(({ event }) => [event.type, event.data.cancelled])).toEqual([
      ['group.completed', 500],
      ['group.completed', 0],
    ]);
  });
});
