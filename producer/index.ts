/** The producer Worker: the clients' door. It accepts tasks into queues and answers polls from D1. */
import { createDoor } from './api.ts';
import { addDocs } from './routes/docs.ts';
import { serve } from './serve.ts';

const door = createDoor();
addDocs(door);

export default {
  fetch: (request: Request, env: object, context: ExecutionContext) => serve(door, request, env, context),
};
