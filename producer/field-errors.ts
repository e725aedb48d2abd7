/** From zod's issues to fields and reasons that a person can act on. Values never enter a reason. */
import type * as z from 'zod';
import type { FieldError, ProblemDetails } from '../shared/problem/problem.ts';

type Issue = z.core.$ZodIssue;

/** Enough to correct a request by; a batch of nonsense does not fill the answer. */
const MAX_ERRORS = 20;

/** Where fields live: a body's are JSON pointers, others are the parameter's name. */
export type FieldKind = 'body' | 'parameter';

export function invalidRequest(issues: readonly Issue[], kind: FieldKind): ProblemDetails {
  const errors = issues.flatMap((issue) => fieldErrors(issue, kind)).slice(0, MAX_ERRORS);
  const [first] = errors;
  if (first === undefined) return {};
  const more = errors.length > 1 ? ` (and ${errors.length - 1} more)` : '';
  return { detail: `${first.field === '' ? 'The body' : first.field}: ${first.reason}${more}`, errors };
}

function fieldErrors(issue: Issue, kind: FieldKind): FieldError[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      field: fieldName([...issue.path, key], kind),
      reason: 'is not known here; correct its name or remove it',
    }));
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

function reasonOf(issue: Issue): string {
  switch (issue.code) {
    case 'invalid_type':
      return issue.message.endsWith('received undefined') ? 'is missing' : `must be ${article(issue.expected)}`;
    case 'invalid_value':
      return `must be ${issue.values.length === 1 ? '' : 'one of '}${issue.values.map(String).join(', ')}`;
    case 'too_big':
      return `may be at most ${String(issue.maximum)}${unitOf(issue.origin)}`;
    case 'too_small':
      return issue.inclusive === false
        ? `must be more than ${String(issue.minimum)}${unitOf(issue.origin)}`
        : `must be at least ${String(issue.minimum)}${unitOf(issue.origin)}`;
    case 'invalid_format':
      return issue.message.startsWith('Invalid ') ? `must be valid as ${issue.format}` : issue.message;
    case 'invalid_key':
      return issue.issues[0] === undefined ? 'is not an allowed name' : reasonOf(issue.issues[0]);
    case 'invalid_union':
      return 'fits none of the allowed forms; see /docs';
    default:
      return issue.message;
  }
}

function article(expected: string): string {
  return expected === 'int' ? 'a whole number' : `${/^[aeiou]/.test(expected) ? 'an' : 'a'} ${expected}`;
}

function unitOf(origin: string): string {
  if (origin === 'string') return ' characters';
  return origin === 'array' ? ' items' : '';
}
