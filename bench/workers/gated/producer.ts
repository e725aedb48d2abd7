/** The producer with stores that can be taken away by `GET /gate?away=…`. */
import producer from '../../../producer/index.ts';
import { gatedEnv, setGate } from './gate.ts';

export default {
  fetch(request: Request, env: object, context: ExecutionContext): Response | Promise<Response> {
    if (new URL(request.url).pathname === '/gate') return setGate(request);
    return producer.fetch(request, gatedEnv(env), context);
  },
};
