/**
 * Who may do what: one table, a row for every route of the app, a column for every role.
 *
 * Guarantee: the guard `requireAccess` (producer/edge/authorize.ts) lets a request reach a route only by this table, and
 * an app with a route that has no row does not start. A role that a row does not name is refused. The dashboard
 * shows pages and buttons by the same table. Pure.
 */
import type { Role } from '../shared/auth/role.ts';

/** `own`: what belongs to the token's subject. `all`: everybody's. */
export type Scope = 'own' | 'all';

export type Access =
  /** Anybody, without a token. */
  | 'open'
  /** Whoever holds the token of the attempt; the callback Worker checks it. */
  | 'attempt'
  /** Whoever has a link that was signed for it; the route checks it. */
  | 'signed'
  | {
      readonly roles: Readonly<Partial<Record<Role, Scope>>>;
      /** Packages of providers send the token as if it were their own key, in a header of theirs. */
      readonly tokenAsKey?: true;
      /**
       * What a token that is limited to services may do here. `checked`: the route lets it reach these services and
       * their tasks only. `own`: what belongs to its subject, as servers do. Absent: nothing, because the route is
       * about more than these services.
       */
      readonly forLimited?: 'checked' | 'own';
      /** It shows what one can sign with: reading is not enough for it. */
      readonly showsSecret?: true;
      /** Done to what is everybody's or somebody else's, it is recorded in the audit under this name. */
      readonly act?: string;
    };

const forClients: Access = { roles: { client: 'own', admin: 'own' } };
const forOwners: Access = { roles: { client: 'own', admin: 'all' } };
const forReaders: Access = { roles: { client: 'own', admin: 'all', viewer: 'all' } };
const forServers: Access = { roles: { server: 'own', admin: 'all' }, forLimited: 'own' };
const forWatchers: Access = { roles: { admin: 'all', viewer: 'all' } };
const forAdmins: Access = { roles: { admin: 'all' } };
const forCallers: Access = { ...forClients, tokenAsKey: true, forLimited: 'checked' };
const forSubmitters: Access = { ...forClients, forLimited: 'checked' };
const forTaskOwners: Access = { ...forOwners, forLimited: 'checked' };
const forTaskReaders: Access = { ...forReaders, forLimited: 'checked' };
const forServerReaders: Access = { roles: { server: 'own', admin: 'all', viewer: 'all' }, forLimited: 'own' };
const forEverybody: Access = { roles: { client: 'all', admin: 'all', viewer: 'all' }, forLimited: 'checked' };

const TABLE = {
  'POST /api/task': forSubmitters,
  'POST /api/tasks/batch': forSubmitters,
  'GET /api/tasks': forTaskReaders,
  'GET /api/tasks/count': forTaskReaders,
  'GET /api/tasks/errors': forTaskReaders,
  'POST /api/tasks/cancel': { ...forTaskOwners, act: 'tasks.cancel' },
  'POST /api/tasks/redrive': { ...forTaskOwners, act: 'tasks.redrive' },
  'POST /api/tasks/purge': { ...forTaskOwners, act: 'tasks.purge' },
  'GET /api/jobs': forReaders,
  'GET /api/jobs/:id': forReaders,
  'GET /api/flows': forReaders,
  'GET /api/flows/:key': forReaders,
  'PUT /api/flows/:key': { ...forOwners, act: 'flow.put' },
  'POST /api/flows/:key/pause': { ...forOwners, act: 'flow.pause' },
  'POST /api/flows/:key/resume': { ...forOwners, act: 'flow.resume' },
  'POST /api/jobs/:id/abort': { ...forOwners, act: 'job.abort' },
  'GET /api/task/:id': forTaskReaders,
  'GET /api/task/:id/events': forTaskReaders,
  'POST /api/task/:id/cancel': { ...forTaskOwners, act: 'task.cancel' },
  'POST /api/task/:id/retry': { ...forTaskOwners, act: 'task.retry' },
  'PUT /api/task/:id': 'attempt',
  'PUT /api/task/:id/result': 'attempt',
  'POST /api/task/:id/result/uploads': 'attempt',
  'GET /api/task/:id/result': forTaskReaders,
  'GET /api/task/:id/payload': forTaskReaders,
  'POST /api/task/:id/links': { ...forTaskOwners, act: 'task.link' },

  'POST /api/uploads': forSubmitters,
  'GET /api/bodies/:key': 'signed',
  'PUT /api/bodies/:key': 'signed',
  'PUT /api/bodies/:key/parts/:part': 'signed',
  'POST /api/bodies/:key/complete': 'signed',

  'ALL /api/service/:name': forCallers,
  'ALL /api/service/:name/*': forCallers,

  'GET /api/services': forEverybody,
  'GET /api/services/:name': forWatchers,
  'GET /api/services/:name/demand': forEverybody,
  'PUT /api/services/:name': { ...forAdmins, act: 'service.put' },
  'DELETE /api/services/:name': { ...forAdmins, act: 'service.delete' },
  'POST /api/services/:name/pause': { ...forAdmins, act: 'service.pause' },
  'POST /api/services/:name/resume': { ...forAdmins, act: 'service.resume' },

  'POST /api/servers': { ...forServers, act: 'server.register' },
  'GET /api/servers': forServerReaders,
  'GET /api/servers/:id': forServerReaders,
  'GET /api/servers/:id/metrics': forServerReaders,
  'DELETE /api/servers/:id': { ...forServers, act: 'server.remove' },
  'POST /api/servers/:id/maintenance': { ...forServers, act: 'server.maintenance' },
  'POST /api/servers/:id/heartbeat': forServers,
  'POST /api/servers/:id/leadership': forServers,
  'POST /api/servers/heartbeats': forServers,

  'GET /api/stats/servers/:id': forWatchers,
  'GET /api/stats/load-balancer': forWatchers,
  'POST /api/stats/load-balancer/algorithm': { ...forAdmins, act: 'service.balancing' },
  'GET /api/stats/tasks': forWatchers,
  'GET /api/stats/hourly': forWatchers,
  'GET /api/stats/stores': forWatchers,
  'GET /api/stats/keys': forWatchers,
  'POST /api/keys/:shard/:key/:action': { ...forAdmins, act: 'key.change' },

  'POST /api/tokens/revoke': { ...forAdmins, act: 'token.revoke' },

  'POST /api/schedules': forClients,
  'GET /api/schedules': forReaders,
  'GET /api/schedules/:name': forReaders,
  'DELETE /api/schedules/:name': { ...forOwners, act: 'schedule.delete' },
  'POST /api/schedules/:name/pause': { ...forOwners, act: 'schedule.pause' },
  'POST /api/schedules/:name/resume': { ...forOwners, act: 'schedule.resume' },
  'POST /api/schedules/:name/run': { ...forOwners, act: 'schedule.run' },

  'GET /api/alerts': forWatchers,
  'PUT /api/alerts/settings': { ...forAdmins, act: 'alerts.set' },
  'POST /api/alerts/test': { ...forAdmins, act: 'alerts.test' },
  'POST /api/alerts/silence': { ...forAdmins, act: 'alerts.silence' },

  'POST /api/groups': forClients,
  'GET /api/groups': forReaders,
  'GET /api/groups/:id': forReaders,
  'POST /api/groups/:id/close': { ...forOwners, act: 'group.close' },
  'POST /api/groups/:id/cancel': { ...forOwners, act: 'group.cancel' },

  'GET /api/webhooks/secret': { ...forOwners, showsSecret: true },
  'POST /api/webhooks/pause': { ...forOwners, act: 'webhook.pause' },
  'POST /api/webhooks/resume': { ...forOwners, act: 'webhook.resume' },

  'GET /api/checklist': forWatchers,
  'POST /api/checklist/:item': { ...forAdmins, act: 'checklist.note' },

  'GET /api/audit': forWatchers,
  'GET /metrics': forWatchers,
  'GET /healthz': 'open',
  'GET /openapi.json': 'open',
  'GET /': 'open',
  'GET /dashboard': 'open',
  'GET /dashboard/main.js': 'open',
  'GET /dashboard/main.css': 'open',
  'GET /docs': 'open',
  'GET /docs/swagger-ui.js': 'open',
  'GET /docs/swagger-ui.css': 'open',
  'GET /docs/start.js': 'open',
  'GET /docs/start.css': 'open',
  'GET /docs/problems/:code': 'open',
} as const satisfies Readonly<Record<string, Access>>;

/** A route, by method and path as the router knows them. */
export type Operation = keyof typeof TABLE;

/** By operation. */
export const ACCESS: ReadonlyMap<string, Access> = new Map(Object.entries(TABLE));

/** The name under which an act is recorded. */
export type ActName = {
  [Row in Operation]: (typeof TABLE)[Row] extends { readonly act: infer Name extends string } ? Name : never;
}[Operation];

/** All of them. */
export const ACTS: readonly string[] = [
  ...new Set([...ACCESS.values()].flatMap((access) => (typeof access === 'object' && access.act ? [access.act] : []))),
];

interface Route {
  readonly method: string;
  readonly path: string;
}

export function accessOf({ method, path }: Route): Access | undefined {
  return ACCESS.get(`${method} ${path}`);
}

/**
 * @param routes as the router lists them; `/*` is middleware
 * @throws Error naming every route that the table does not have
 */
export function assertEveryRouteHasAccess(routes: readonly Route[]): void {
  const without = routes.filter((route) => route.path !== '/*' && accessOf(route) === undefined);
  if (without.length === 0) return;
  const names = [...new Set(without.map(({ method, path }) => `${method} ${path}`))];
  throw new Error(`producer/access.ts has no row for ${names.join(', ')}`);
}

/** What a token says of its holder's rights. */
export interface TokenRights {
  readonly role: Role;
  /** The token is good for these services alone; undefined: for all. */
  readonly services?: readonly string[] | undefined;
  readonly readsOnly?: boolean | undefined;
}

export type Right = { readonly ok: true; readonly scope: Scope } | { readonly ok: false; readonly why: string };

/** What a token may do on a route that asks for one. */
export function rightOf(method: string, access: Exclude<Access, string>, token: TokenRights): Right {
  const scope = access.roles[token.role];
  if (scope === undefined) {
    const allowed = Object.keys(access.roles).join(' or ');
    return { ok: false, why: `This needs the role ${allowed}; the token's role is ${token.role}.` };
  }
  const limit = limitOf(method, access, token);
  if (limit !== undefined) return { ok: false, why: limit };
  const isOwn = token.services !== undefined && access.forLimited === 'own';
  return { ok: true, scope: isOwn ? 'own' : scope };
}

/** The same of an operation. What needs no role's token is everybody's, or not theirs to do. */
export function rightTo(operation: Operation, token: TokenRights): Right {
  const access: Access = TABLE[operation];
  if (access === 'open') return { ok: true, scope: 'all' };
  if (typeof access === 'string') return { ok: false, why: 'This takes no token of a role.' };
  return rightOf(operation.split(' ')[0] ?? '', access, token);
}

/** What the token itself does not allow, whatever its role may do. */
function limitOf(
  method: string,
  access: Exclude<Access, string>,
  { services, readsOnly }: TokenRights,
): string | undefined {
  // The synchronous route's GET is a call of a backend.
  const isRead = (method === 'GET' || method === 'HEAD') && access.tokenAsKey !== true && access.showsSecret !== true;
  if (readsOnly && !isRead) return 'The token is limited to reading (its claim `read`).';
  if (services === undefined || access.forLimited !== undefined) return undefined;
  return `The token is limited to ${services.join(', ')} (its claim \`services\`), and this is about more than these.`;
}
