/** A request that cannot be served, as a value: what `refuse` turns into a response. */
import {
  type ProblemCode,
  type ProblemDetails,
  type ProblemDocument,
  problemDocument,
} from '../../shared/problem/problem.ts';

export interface Refusal {
  readonly code: ProblemCode;
  readonly details: ProblemDetails;
}

/** A refusal inside a larger answer, such as an item of a batch. */
export function documentOf({ code, details }: Refusal): ProblemDocument {
  return problemDocument(code, details);
}

/** A refusal of what stands at `place` in a body: its fields as they are in the whole. */
export function refusalAt(place: string, { code, details }: Refusal): Refusal {
  const { detail, errors } = details;
  if (errors === undefined) return { code, details };
  const namesField = errors.some(({ field }) => detail?.startsWith(`${field}: `) === true);
  return {
    code,
    details: {
      ...details,
      ...(detail !== undefined && { detail: namesField ? place + detail : detail }),
      errors: errors.map(({ field, reason }) => ({ field: place + field, reason })),
    },
  };
}
