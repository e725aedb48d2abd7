/** A request that cannot be served, as a value: what `refuse` turns into a response. */
import {
  type ProblemCode,
  type ProblemDetails,
  type ProblemDocument,
  problemDocument,
} from '../shared/problem/problem.ts';

export interface Refusal {
  readonly code: ProblemCode;
  readonly details: ProblemDetails;
}

/** A refusal inside a larger answer, such as an item of a batch. */
export function documentOf({ code, details }: Refusal): ProblemDocument {
  return problemDocument(code, details);
}
