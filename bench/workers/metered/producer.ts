/** The producer with its bindings metered. `GET /meter` takes the counts. */
import producer from '../../../producer/index.ts';
import { meteredEnv, takeCounts } from './meter.ts';

export default {
  fetch(request: Request, env: object, context: ExecutionContext): Response | Promise<Response> {
    if (new URL(request.url).pathname === '/meter') return Response.json(takeCounts());
    return producer.fetch(request, meteredEnv(env), context);
  },
};
