/** `/api/groups`: tasks that belong together, counted, waited for and cancelled together. */
import { createRoute } from '@hono/zod-openapi';
import { type GroupRow, listGroups } from '../../shared/store/groups.ts';
import { answerJson, refuse, unavailable } from '../answer/answer.ts';
import type { App, Caller } from '../app.ts';
import { changeGroup, groupUrlOf, lookAtGroup, setHook } from '../groups/group.ts';
import { chooseStoreFor } from '../groups/store-choice.ts';
import { groupView } from '../groups/view.ts';
import { MAX_TASK_BODY_BYTES, readsJson } from '../json/body.ts';
import type { Runtime } from '../runtime.ts';
import {
  GroupDefinitionSchema,
  GroupListQuerySchema,
  GroupListSchema,
  GroupParamsSchema,
  GroupQuerySchema,
  GroupSchema,
  PollGroupQuerySchema,
} from '../schema/group.ts';
import { answers, BODY_PROBLEMS, jsonAnswer, jsonBody } from '../schema/problem.ts';
import { bindHook } from '../submission/completion-hook.ts';
import { callUpstream, UNAVAILABLE } from '../upstream/upstream.ts';

/** Looks of who waits come at growing intervals; each is a row read. */
const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 2_000;

const shared = { tags: ['groups'] };
const named = { params: GroupParamsSchema, query: GroupQuerySchema };

const listRoute = createRoute({
  ...shared,
  method: 'get',
  path: '/api/groups',
  operationId: 'listGroups',
  summary: 'List groups, newest first',
  request: { query: GroupListQuerySchema },
  responses: answers({ 200: jsonAnswer(GroupListSchema, 'A page of groups.') }, 'invalid-request'),
});

const getRoute = createRoute({
  ...shared,
  method: 'get',
  path: '/api/groups/{id}',
  operationId: 'getGroup',
  summary: 'See how far a group is, or wait for its end',
  request: { params: GroupParamsSchema, query: PollGroupQuerySchema },
  responses: answers({ 200: jsonAnswer(GroupSchema, 'The group.') }, 'invalid-request', 'group-not-found'),
});

const postRoute = createRoute({
  ...shared,
  method: 'post',
  path: '/api/groups',
  operationId: 'putGroup',
  summary: 'Make a group before its first task, or say whom its end is told to',
  description:
    'A group is also there when its first task names it. One of yours with the same id gets the hook that is given.',
  middleware: [readsJson(MAX_TASK_BODY_BYTES)],
  request: { body: jsonBody(GroupDefinitionSchema) },
  responses: answers({ 200: jsonAnswer(GroupSchema, 'The group.') }, ...BODY_PROBLEMS, 'group-closed', 'storage-full'),
});

const changeRoute = (act: 'close' | 'cancel', summary: string, description: string) =>
  createRoute({
    ...shared,
    method: 'post',
    path: `/api/groups/{id}/${act}`,
    operationId: `${act}Group`,
    summary,
    description,
    request: named,
    responses: answers({ 200: jsonAnswer(GroupSchema, 'The group.') }, 'invalid-request', 'group-not-found'),
  });

const CHANGES = [
  ['close', 'Let a group take no more tasks', 'It ends when all of its tasks have. Safe to repeat.'],
  [
    'cancel',
    'Cancel the tasks of a group that have not ended',
    'Closes it too. Up to 10,000 tasks are cancelled before the answer, the others within minutes. Its end is told once.',
  ],
] as const;

export function addGroups(app: App): void {
  app.openapi(listRoute, async (c) => {
    const { runtime } = c.env;
    const { subject, before, limit } = c.req.valid('query');
    const principal = c.get('principal');
    const owner = principal.scope === 'all' ? subject : principal.subject;
    const below = before === undefined ? Number.MAX_SAFE_INTEGER : Date.parse(before);
    const parts = await callUpstream('database', () =>
      Promise.all(runtime.config.stores.all.map(({ db }) => listGroups(db, owner, below, limit))),
    );
    if (parts === UNAVAILABLE) return unavailable('The groups cannot be read at the moment.');
    const rows = parts
      .flat()
      .sort((a, b) => b.created_at - a.created_at)
      .slice(0, limit);
    return answerJson({ groups: rows.map((row) => viewOf(runtime, row)) });
  });

  app.openapi(getRoute, async (c) => {
    const { runtime } = c.env;
    const { id } = c.req.valid('param');
    const { subject, wait } = c.req.valid('query');
    const owner = ownerOf(c.get('principal'), subject);
    const row = await awaitEnd(runtime, owner, id, Date.now() + wait * 1000, c.req.raw.signal);
    if (row === UNAVAILABLE) return unavailable('The group cannot be read at the moment.');
    return row === undefined ? notFound(id) : answerJson(viewOf(runtime, row));
  });

  app.openapi(postRoute, async (c) => {
    const { runtime } = c.env;
    const { id, onComplete } = c.req.valid('json');
    const { subject } = c.get('principal');
    const bound = await bindHook(runtime, subject, onComplete, {
      linkBase: groupUrlOf(runtime, ''),
    });
    if (!bound.ok) return refuse(bound.refusal.code, bound.refusal.details);
    const { hook } = bound;
    const chosen = await chooseStoreFor(c, subject, id);
    if (!chosen.ok) return refuse(chosen.refusal.code, chosen.refusal.details);
    const written = await callUpstream('database', async () => {
      if (hook !== undefined && !(await setHook(runtime, subject, id, hook))) return 'ended' as const;
      return lookAtGroup(runtime, subject, id);
    });
    if (written === UNAVAILABLE) return unavailable('The group is not certain to have changed; repeat the request.');
    if (written === 'ended') {
      return refuse('group-closed', { detail: `The group ${id} has ended: nobody is told of it any more.` });
    }
    return written === undefined ? notFound(id) : answerJson(viewOf(runtime, written));
  });

  for (const [act, summary, description] of CHANGES) {
    app.openapi(changeRoute(act, summary, description), async (c) => {
      const { runtime } = c.env;
      const { id } = c.req.valid('param');
      const owner = ownerOf(c.get('principal'), c.req.valid('query').subject);
      const row = await changeGroup(runtime, owner, id, act);
      if (row === UNAVAILABLE) return unavailable('The group is not certain to have changed; repeat the request.');
      return row === undefined ? notFound(id) : answerJson(viewOf(runtime, row));
    });
  }
}

/** @returns the group when it has ended, or when it is time */
async function awaitEnd(
  runtime: Runtime,
  subject: string,
  name: string,
  until: number,
  signal: AbortSignal,
): Promise<GroupRow | undefined | typeof UNAVAILABLE> {
  let pauseMs = FIRST_PAUSE_MS;
  for (;;) {
    const row = await callUpstream('database', () => lookAtGroup(runtime, subject, name));
    const leftMs = until - Date.now();
    if (row === UNAVAILABLE || row === undefined || row.ended_at !== null || leftMs <= 0 || signal.aborted) return row;
    await scheduler.wait(Math.min(pauseMs, leftMs));
    pauseMs = Math.min(pauseMs * 1.5, LONGEST_PAUSE_MS);
  }
}

function viewOf(runtime: Runtime, row: GroupRow) {
  return groupView(row, groupUrlOf(runtime, row.name));
}

/** Whose group an address means: one's own, or for whoever may see all, the one that the query names. */
function ownerOf({ scope, subject }: Caller, named: string | undefined): string {
  return scope === 'all' ? (named ?? subject) : subject;
}

function notFound(id: string): Response {
  return refuse('group-not-found', { detail: `There is no group ${id}.` });
}
