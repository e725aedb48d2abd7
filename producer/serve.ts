/**
 * One request through the app. A deployment that is not configured serves nothing, and says which
 * variables it lacks; it never runs open.
 */
import { MisconfiguredError } from '../shared/env.ts';
import { refuse } from './answer/answer.ts';
import { secured } from './answer/security-headers.ts';
import type { App } from './app.ts';
import { newRequestId } from './edge/request-id.ts';
import { type Runtime, runtimeOf } from './runtime.ts';
import { isOfBackend } from './sync/sdk-error.ts';

export async function serve(app: App, request: Request, env: object, context?: ExecutionContext): Promise<Response> {
  const response = await answer(app, request, env, context);
  return secured(response, isOfBackend(response));
}

function answer(
  app: App,
  request: Request,
  env: object,
  context: ExecutionContext | undefined,
): Response | Promise<Response> {
  const runtime = runtimeOf(env);
  if (runtime instanceof MisconfiguredError) return refuseMisconfigured(runtime, newRequestId(request));
  if (!namesHost(request.url, runtime)) {
    return refuse('invalid-request', {
      detail: 'The header Host is not the name of a host.',
      requestId: newRequestId(request),
    });
  }
  return app.fetch(request, { runtime }, context);
}

/** The runtime takes any text for a host; routes read addresses from the URL. */
function namesHost(url: string, runtime: Runtime): boolean {
  if (runtime.origin !== undefined && url.startsWith(runtime.origin)) return true;
  const parsed = URL.parse(url);
  if (parsed === null || /^https?:\/\/\//.test(url)) return false;
  runtime.origin = `${parsed.origin}/`;
  return true;
}

function refuseMisconfigured({ problems }: MisconfiguredError, requestId: string): Response {
  const errors = problems.map((problem) => {
    const colon = problem.indexOf(': ');
    return { field: problem.slice(0, colon), reason: problem.slice(colon + 2) };
  });
  return refuse('misconfigured', { detail: `Set these and deploy again. ${problems.join('; ')}.`, errors, requestId });
}
