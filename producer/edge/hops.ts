/**
 * Cuts circles: a request that has come through Tasklane too often is refused, whether it is a
 * synchronous call or the submission of a task, and what comes of it carries the count on.
 */
import { HOPS_HEADER, hopsOf, MAX_HOPS } from '../../shared/sync/call.ts';
import type { TaskRequest } from '../../shared/task/request.ts';
import { refuse } from '../answer/answer.ts';
import type { Guard } from './guards.ts';

export const cutCircles: Guard = (c, { headers }) => {
  const { method } = c.req;
  // A report about a task ends the circle, or is none.
  const hops = method === 'PUT' && !c.req.path.startsWith('/api/service/') ? 0 : hopsOf(headers.fields);
  if (hops < MAX_HOPS) return undefined;
  const said = `The request has come through Tasklane ${hops} times (${HOPS_HEADER})`;
  return refuse('invalid-request', { detail: `${said}: a service's target leads back here. Mend its baseUrl.` });
};

export function hopsField(headers: Headers | ReadonlyMap<string, string>): Pick<TaskRequest, 'hops'> {
  const hops = hopsOf(headers);
  return hops === 0 ? {} : { hops };
}
