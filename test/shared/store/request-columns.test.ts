import { env } from 'cloudflare:workers';
import { describe, expect, it } from 'vitest';
import { importMacKey } from '../../../shared/crypto/mac.ts';
import type { NewTask } from '../../../shared/message/task-message.ts';
import { recordAccepted } from '../../../shared/store/accept.ts';
import { claimTasks } from '../../../shared/store/claim.ts';
import { readRequests } from '../../../shared/store/read.ts';
import { requestColumns } from '../../../shared/store/request-columns.ts';
import { mintTaskId } from '../../../shared/task/id.ts';
import type { TaskRequest } from '../../../shared/task/request.ts';

const NOW = Date.UTC(2026, 10, 20);
const key = await importMacKey(env.ID_SECRET);

async function taskWith(request: TaskRequest): Promise<NewTask> {
  const id = await mintTaskId(key, 'alice', NOW, 0);
  const policy = { maxAttempts: 3, baseSeconds: 2, capSeconds: 60 };
  return { id, subject: 'alice', service: 'echo', policy, deadlineAt: NOW + 1000, request };
}

const WAYS = {
  accept: (task: NewTask) => recordAccepted(env.DB, [task], NOW),
  claim: async ({ id, request, ...task }: NewTask, columns: object = requestColumns(request)) => {
    const claim = { id, leaseMs: 1000, task: { ...task, ...columns } } as never;
    await claimTasks(env.DB, { nonce: 'nonce-of-this-batch', claims: [claim] }, NOW);
  },
};

const BODIES = [
  { type: 'application/json', encoding: 'json', text: '{"a":"\\u0041 \\"quoted\\" \\n","n":1.0,"n":2}' },
  { type: 'text/plain', encoding: 'text', text: 'tab\t, quote ", back\\slash, NUL \u0000, emoji 🦦, line\u2028end' },
  { type: 'application/octet-stream', encoding: 'base64', text: 'AAEC' },
  { type: 'text/plain', encoding: 'text', text: '' },
] as const;

describe('a request in its row', () => {
  for (const [way, record] of Object.entries(WAYS)) {
    it.each(BODIES)(`comes back as it went in by ${way}: $type $text.length`, async (body) => {
      const request: TaskRequest = { method: 'PUT', path: '/x?q="', headers: { 'x-a': '"b"' }, body };
      const task = await taskWith(request);
      await record(task);
      const text = (await readRequests(env.DB, [task.id])).get(task.id);
      expect(JSON.parse(text ?? '')).toEqual(request);
    });

    it(`holds its body once, without escapes, by ${way}`, async () => {
      const text = JSON.stringify(Array.from({ length: 50 }, (_, index) => ({ [`"key ${index}"`]: '\\' })));
      const task = await taskWith({ path: '/x', body: { type: 'application/json', encoding: 'json', text } });
      await record(task);
      const row = await env.DB.prepare('SELECT request, request_body FROM tasks WHERE id = ?1').bind(task.id).first();
      expect(row).toEqual({
        request: '{"path":"/x","body":{"type":"application/json","encoding":"json"}}',
        request_body: text,
      });
    });

    it(`without a body stays without one by ${way}`, async () => {
      const task = await taskWith({ path: '/x' });
      await record(task);
      expect(JSON.parse((await readRequests(env.DB, [task.id])).get(task.id) ?? '')).toEqual({ path: '/x' });
    });
  }

  it('that a consumer of an older release claims with is kept as that one sends it', async () => {
    const request: TaskRequest = { path: '/x', body: BODIES[0] };
    const task = await taskWith(request);
    await WAYS.claim(task, { request: JSON.stringify(request) });
    expect(JSON.parse((await readRequests(env.DB, [task.id])).get(task.id) ?? '')).toEqual(request);
  });
});
