/** The producer Worker: the clients' side of Tasklane. It accepts tasks into queues and answers polls from D1. */
import { createApp } from './api.ts';
import { addDashboard } from './routes/dashboard.ts';
import { addDocs } from './routes/docs.ts';
import { serve } from './serve.ts';

const app = createApp(addDocs, addDashboard);

export default {
  fetch: (request: Request, env: object, context: ExecutionContext) => serve(app, request, env, context),
};
