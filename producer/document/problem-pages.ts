/**
 * `/docs/problems/:code`: what a problem means and what helps, at the address that is its `type`. Plain
 * pages without scripts. A code without an explanation does not compile.
 */
import { PROBLEMS, type ProblemCode } from '../../shared/problem/problem.ts';

const MEANINGS: Readonly<Record<ProblemCode, string>> = {
  'invalid-request':
    'A field of the body, a parameter or a header is missing, unknown or out of bounds. `errors` names each with the reason. Correct them and send the request again; nothing has changed.',
  'malformed-body':
    'The body is not JSON in UTF-8, ended early, or nests too deep. `detail` says at which line and column. Payloads that are no JSON go as `payloadBase64`.',
  unauthenticated:
    'There is no token, or it is not good here: expired, revoked, or signed with another secret. Send `Authorization: Bearer <token>`; `npm run token` makes one.',
  forbidden: 'The token is good, but its role may not do this. docs/access.md says which role may do what.',
  'too-many-wrong-tokens':
    'Many wrong tokens came from this address within seconds. Wait as long as `Retry-After` says, and use a right one: those are never held up.',
  'too-many-requests':
    'More requests came from this address, or with this token, within seconds than are taken. Wait as long as `Retry-After` says. POST /api/tasks/batch submits a thousand tasks at once, and GET /api/task/ID?wait=30 waits in one request.',
  'headers-too-large': 'The headers are too many or too long. `detail` says how many there may be.',
  'link-not-valid':
    'The link has expired, was changed, or is for something else. Ask for a new one: POST /api/uploads for an upload, POST /api/task/ID/links for a download. A backend gets a new one with each attempt.',
  'not-found': 'Nothing answers at this address. /docs lists what there is.',
  'task-not-found':
    'No task has this id, it belongs to somebody else, or its retention has ended. An administrator finds a task once it is recorded, a second after it was submitted.',
  'body-not-found':
    'The task has no such body: it has no result yet, or none at all, or its bodies were deleted (`bodiesDeletedAt`).',
  'service-not-found': 'No service has this name. GET /api/services lists those that there are.',
  'unknown-service':
    'The task names a service that does not exist. `detail` lists those that do; PUT /api/services/NAME or wrangler.toml adds one.',
  'key-not-found': 'No shard has a key of this name. GET /api/stats/keys lists them.',
  'schedule-not-found':
    'No schedule of yours has this name. `GET /api/schedules` lists them; an administrator names the owner with `?subject=`.',
  'group-not-found':
    'No group of yours has this id: no task has named it, or it ended more than RETENTION_DAYS ago. `GET /api/groups` lists them; an administrator names the owner with `?subject=`.',
  'flow-not-found':
    'No task of yours was in a flow of this key in the last ten minutes, and nobody has put its limits. The first task with the key makes it, or `PUT /api/flows/KEY`.',
  'quota-exceeded':
    'The service says how much one client may have of it: tasks that have not ended, or tasks a minute. `RateLimit-Policy` names the quotas, `RateLimit` what is left. Nothing was accepted; repeat it after `Retry-After`, with the same idempotency key.',
  'job-not-found': 'No job of yours has this id, or it ended more than 30 days ago. `GET /api/jobs` lists them.',
  'server-not-found':
    'No server of yours has this id: it was removed, or was silent for too long. A server that gets this for a heartbeat registers again.',
  'method-not-allowed': 'The address exists, but not for this method. The header `Allow` lists those that it answers.',
  'stale-attempt':
    'The report is about an attempt that is no longer the current one: it was given up, or another has begun. Stop the work; a success would still count until the task ends.',
  'task-finished': 'The task has already ended otherwise. What has ended stays as it is; a poll shows how.',
  'not-retryable': 'Only a task that failed or expired can be retried by hand. A cancelled one is submitted anew.',
  'upload-complete':
    'The body was uploaded already, and stays as it is. `detail` says how large it is. Submit the task with it, or ask for another upload.',
  'upload-used':
    'An upload makes one task. `detail` names it. If that task failed or expired, run it again; a cancelled one stays so. For another task, upload the body again.',
  'group-closed':
    'The group takes no more tasks: a batch or POST /api/groups/ID/close closed it, or it was cancelled or has ended. Nothing was submitted; name another group, such as one with the date in its id.',
  'service-busy':
    'Calls of the service run, or tasks wait for it. Wait until they have ended, or repeat with `?force=true`.',
  'not-heartbeat-leader':
    'Another server leads the cluster and sends its heartbeats. The answer to a heartbeat of your own says which one.',
  'body-too-large':
    'The body, or the payload in it, is larger than can be taken. `detail` names the limit. Store larger data elsewhere and send its address.',
  'unsupported-media-type': 'Send JSON: `Content-Type: application/json`, without Content-Encoding.',
  'idempotency-key-reused':
    'The idempotency key was used for another submission. Use a new key for a new task; send the same body to repeat one.',
  internal:
    'An error that nobody expected. Nothing is certain to have changed. The log has the cause under the request id; the request may be repeated where that is safe.',
  'backend-unreachable':
    'No server of the service could be reached, or the connection broke. A repeat may do the work twice unless the backend knows its Idempotency-Key.',
  'backend-unreadable':
    'The backend answered with something that Tasklane may not pass on, such as a packing that it cannot look into. `detail` says what.',
  'no-capacity':
    'Every server or key of the service is busy, limited or away. Repeat it after `Retry-After`, or send `Prefer: respond-async` to have it done as a task.',
  'backend-timeout':
    'The backend did not answer within the time-out of its service. A task waits longer: POST /api/task.',
  misconfigured:
    'The deployment lacks a variable, a secret or a binding; `errors` names them. Set them and deploy again. Nothing is served until then.',
  'storage-full':
    'No store has room for another task. What was accepted still ends. An administrator adds a store or shortens the retention; see docs/storage.md.',
  unavailable:
    'The database, a queue or another Worker did not answer. Nothing is certain to have changed; repeat it after `Retry-After`, with the same idempotency key where it submits a task.',
};

/** @returns undefined for a code that there is not */
export function problemPage(code: string): string | undefined {
  if (!Object.hasOwn(PROBLEMS, code)) return undefined;
  const { status, title } = PROBLEMS[code as ProblemCode];
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)} · Tasklane</title>
<link rel="icon" href="data:,">
</head>
<body>
<h1>${escapeHtml(title)}</h1>
<p><code>${code}</code>, status ${status}</p>
<p>${escapeHtml(MEANINGS[code as ProblemCode]).replaceAll(/`([^`]+)`/g, '<code>$1</code>')}</p>
<p><a href="/docs">The API</a></p>
</body>
</html>
`;
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
