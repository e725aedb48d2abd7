/** Problem documents as the API document shows them, and the answers that routes share. */
import { type RouteConfig, z } from '@hono/zod-openapi';
import { PROBLEMS, type ProblemCode, problemDocument } from '../../shared/problem/problem.ts';

const ProblemSchema = z
  .object({
    type: z
      .string()
      .openapi({ description: 'Stable name of the problem, and the page that explains it: `/docs/problems/<code>`.' }),
    title: z.string(),
    status: z.number().int(),
    detail: z.string().optional().openapi({ description: 'What happened this time, and what helps.' }),
    errors: z
      .array(
        z.object({
          field: z.string().openapi({ description: 'JSON pointer into the body, or the name of a parameter.' }),
          reason: z.string(),
        }),
      )
      .optional(),
    retryAfterSeconds: z.number().optional(),
    'violated-policies': z
      .array(z.string())
      .optional()
      .openapi({ description: 'The quotas that are used up, by their names in `RateLimit-Policy`.' }),
    requestId: z.string().optional().openapi({ description: 'Names the request in the log of the deployment.' }),
  })
  .openapi('Problem');

export { ProblemSchema };

/** The type of `responses` without its literal keys: handlers answer with plain responses. */
type Answers = RouteConfig['responses'];

/** What every authenticated route may answer besides its own. */
const COMMON: readonly ProblemCode[] = [
  'unauthenticated',
  'forbidden',
  'too-many-requests',
  'too-many-wrong-tokens',
  'headers-too-large',
  'internal',
  'misconfigured',
  'unavailable',
];

/** An answer with a JSON body. */
export function jsonAnswer(schema: z.ZodType, description: string, example?: unknown): Answers[string] {
  return { description, content: { 'application/json': { schema, ...(example === undefined ? {} : { example }) } } };
}

/** A body of JSON that must be there. */
export function jsonBody<Schema extends z.ZodType>(schema: Schema) {
  return { required: true, content: { 'application/json': { schema } } } as const;
}

/** A body that goes through as it is, of any media type. */
export const BYTES_BODY = {
  required: true,
  content: { 'application/octet-stream': { schema: z.any().openapi({ type: 'string', format: 'binary' }) } },
} as const;

/** What is answered to a body that cannot be read, or not used. */
export const BODY_PROBLEMS = ['invalid-request', 'malformed-body', 'body-too-large', 'unsupported-media-type'] as const;

/** A route's answers: its successes, its own problems and the common ones. */
export function answers(successes: Answers, ...codes: ProblemCode[]): Answers {
  return { ...successes, ...problemAnswers([...codes, ...COMMON]) };
}

/** Problems by status; codes of one status share an answer and show one example each. */
export function problemAnswers(codes: readonly ProblemCode[]): Answers {
  const byStatus = Map.groupBy(new Set(codes), (code) => PROBLEMS[code].status);
  return Object.fromEntries([...byStatus].map(([status, group]) => [status, problemAnswer(group)]));
}

function problemAnswer(codes: readonly ProblemCode[]): Answers[string] {
  const examples = Object.fromEntries(codes.map((code) => [code, { value: problemDocument(code) }]));
  return {
    description: codes.map((code) => PROBLEMS[code].title).join('; '),
    content: { 'application/problem+json': { schema: ProblemSchema, examples } },
  };
}
