/** From a checked query to the filter that the stores understand, or what is wrong with it. Pure. */
import type { TaskFilter } from '../../shared/store/find.ts';
import type { Refusal } from '../answer/refusal.ts';
import type { Caller } from '../app.ts';
import { refusalOfServices } from '../caller/limited-token.ts';
import type { CountQuery } from '../schema/find.ts';
import { decodeCursor } from './cursor.ts';

export type ReadQuery =
  | { readonly ok: true; readonly filter: TaskFilter }
  | { readonly ok: false; readonly refusal: Refusal };

/** Who may see its own tasks only finds nothing else, whatever it asks for. */
export function filterOf(caller: Caller, query: CountQuery, limit: number): ReadQuery {
  const { cursor, label, status, after, before, subject, ...same } = query;
  const position = cursor === undefined ? undefined : decodeCursor(cursor);
  if (cursor !== undefined && position === undefined) {
    return invalid('cursor', 'is not a cursor of this list; take nextCursor of the page before');
  }
  if (subject !== undefined && caller.scope === 'own' && subject !== caller.subject) {
    return invalid('subject', 'is for who may see the tasks of others; leave it out');
  }
  const service = serviceOf(caller, query.service);
  if (typeof service === 'object') return { ok: false, refusal: service };
  return {
    ok: true,
    filter: {
      ...same,
      service,
      subject: caller.scope === 'own' ? caller.subject : subject,
      statuses: status,
      labels: label?.map(labelOf),
      createdFrom: after === undefined ? undefined : Date.parse(after),
      createdBefore: before === undefined ? undefined : Date.parse(before),
      before: position,
      limit,
    },
  };
}

/** A token that is limited to one service means that one; of several, the query names which. */
function serviceOf(caller: Caller, named: string | undefined): string | undefined | Refusal {
  if (named !== undefined) return refusalOfServices(caller, named) ?? named;
  if (caller.services === undefined || caller.services.length === 1) return caller.services?.[0];
  return invalidDetails('service', `is needed: the token is limited to ${caller.services.join(', ')}`);
}

function labelOf(label: string): readonly [string, string] {
  const colon = label.indexOf(':');
  return [label.slice(0, colon), label.slice(colon + 1)];
}

function invalid(field: string, reason: string): ReadQuery {
  return { ok: false, refusal: invalidDetails(field, reason) };
}

function invalidDetails(field: string, reason: string): Refusal {
  return { code: 'invalid-request', details: { detail: `${field}: ${reason}`, errors: [{ field, reason }] } };
}
