/** From zod's issues to fields and reasons that a person can act on. Values never enter a reason. */
import type * as z from 'zod';
import { reasonOf, unknownNames } from '../../shared/issue-reason.ts';
import type { FieldError, ProblemDetails } from '../../shared/problem/problem.ts';

type Issue = z.core.$ZodIssue;

/** Enough to correct a request by; a batch of nonsense does not fill the answer. */
const MAX_ERRORS = 20;

/** Where fields live: a body's are JSON pointers, others are the parameter's name. */
export type FieldKind = 'body' | 'parameter';

export function invalidRequest(issues: readonly Issue[], kind: FieldKind): ProblemDetails {
  return invalidFields(issues.flatMap((issue) => fieldErrors(issue, kind)).slice(0, MAX_ERRORS));
}

/** Names all of them, and the first in words. */
export function invalidFields(errors: readonly FieldError[]): ProblemDetails {
  const [first] = errors;
  if (first === undefined) return {};
  const more = errors.length > 1 ? ` (and ${errors.length - 1} more)` : '';
  return { detail: `${first.field === '' ? 'The body' : first.field}: ${first.reason}${more}`, errors };
}

function fieldErrors(issue: Issue, kind: FieldKind): FieldError[] {
  if (issue.code === 'unrecognized_keys') {
    return unknownNames(issue).map(({ name, reason }) => ({ field: fieldName([...issue.path, name], kind), reason }));
  }
  return [{ field: fieldName(issue.path, kind), reason: reasonOf(issue) }];
}

function fieldName(path: readonly PropertyKey[], kind: FieldKind): string {
  // A repeated parameter is one parameter.
  if (kind === 'parameter')
    return path
      .filter((part) => typeof part !== 'number')
      .map(String)
      .join('.');
  return path.map((part) => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}
