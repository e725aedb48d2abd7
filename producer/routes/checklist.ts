/** `/api/checklist`: what the deployment lacks before people rely on it, and noting what was tried by hand. */
import { createRoute } from '@hono/zod-openapi';
import { writeSetting } from '../../shared/store/settings.ts';
import { answerJson, unavailable } from '../answer/answer.ts';
import type { App } from '../app.ts';
import { checklist } from '../checklist/checklist.ts';
import { factsOf, NOTES_NAME, readNotes } from '../checklist/facts.ts';
import { MAX_TASK_BODY_BYTES, mayReadJson } from '../json/body.ts';
import { ChecklistSchema, NoteBodySchema, NotedSchema, NoteParamsSchema } from '../schema/checklist.ts';
import { answers, BODY_PROBLEMS, jsonAnswer } from '../schema/problem.ts';
import { loadServices } from '../services/services.ts';
import { callUpstream, UNAVAILABLE } from '../upstream/upstream.ts';

const shared = { tags: ['deployment'] };

const getRoute = createRoute({
  ...shared,
  method: 'get',
  path: '/api/checklist',
  operationId: 'getChecklist',
  summary: 'See what the deployment lacks',
  description: '`npm run doctor` shows it, with what only the outside shows.',
  responses: answers({ 200: jsonAnswer(ChecklistSchema, 'Item by item.') }),
});

const noteRoute = createRoute({
  ...shared,
  method: 'post',
  path: '/api/checklist/{item}',
  operationId: 'noteChecklistItem',
  summary: 'Note that a backup was made, or a restore or a rollback tried',
  middleware: [mayReadJson(MAX_TASK_BODY_BYTES)],
  request: { params: NoteParamsSchema, body: { content: { 'application/json': { schema: NoteBodySchema } } } },
  responses: answers({ 200: jsonAnswer(NotedSchema, 'It is noted.') }, ...BODY_PROBLEMS),
});

export function addChecklist(app: App): void {
  app.openapi(getRoute, async (c) => {
    await loadServices(c, []);
    const now = Date.now();
    const facts = await factsOf(c.env.runtime, now);
    const secrets = (facts.secrets ?? []).map(({ name, fingerprint }) => ({ name, fingerprint }));
    return answerJson({ items: checklist(facts, now), secrets });
  });

  app.openapi(noteRoute, async (c) => {
    const { control } = c.env.runtime.config.stores;
    const { item } = c.req.valid('param');
    const { note } = c.req.valid('json') ?? {};
    const at = Date.now();
    const by = c.get('principal').subject;
    const isWritten = await callUpstream('database', async () => {
      const { notes, read } = await readNotes(control);
      return writeSetting(control, NOTES_NAME, JSON.stringify({ ...notes, [item]: { at, by, note } }), read);
    });
    if (isWritten === UNAVAILABLE || !isWritten)
      return unavailable('It is not certain to be noted; repeat the request.');
    c.set('change', { after: { item, note } });
    return answerJson({ item, at: new Date(at).toISOString(), by });
  });
}
