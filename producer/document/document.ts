/** The API document (OpenAPI 3.1) of a app: its routes and what they share. */
import { type Access, accessOf } from '../access.ts';
import type { App } from '../app.ts';
import { codeSamples, type SampledOperation, type SampledParameter, type SampledPass } from './code-samples.ts';
import { addExamples } from './document-examples.ts';

const TAGS = [
  { name: 'tasks', description: 'Submitting tasks, following them, ending them.' },
  { name: 'backends', description: 'What backends say about the tasks they work on.' },
  { name: 'schedules', description: 'Tasks that are submitted again and again.' },
  { name: 'groups', description: 'Tasks that belong together, with one end.' },
  { name: 'webhooks', description: 'Whom ends are told to: what receivers verify with, and holding messages back.' },
  { name: 'servers', description: 'Servers that register themselves, and how calls are spread over them.' },
  { name: 'services', description: 'What tasks can be submitted to.' },
  { name: 'keys', description: 'The API keys with which backends are called.' },
  { name: 'tokens', description: 'Who may ask.' },
  { name: 'statistics', description: 'What became of the tasks, what waits, and what would help.' },
  { name: 'alerts', description: 'What is wrong now, what helps, and who is told.' },
  { name: 'audit', description: 'Who changed what.' },
  { name: 'deployment', description: 'The state of the deployment itself.' },
];

const SECURITY_SCHEMES = {
  token: {
    type: 'http',
    scheme: 'bearer',
    bearerFormat: 'JWT',
    description: 'A token with a role: `npm run token -- --role client --sub alice` prints one for the local run.',
  },
  attempt: {
    type: 'http',
    scheme: 'bearer',
    description: 'The token of one attempt, which the backend got as `Task-Callback-Token`.',
  },
} as const;

export function apiDocument(app: App) {
  const document = app.getOpenAPI31Document({
    openapi: '3.1.0',
    info: {
      title: 'Tasklane',
      version: '0.1.0',
      description:
        'Fire-and-forget tasks for slow or rate-limited HTTP backends. Errors are problem documents (RFC 9457).',
      license: { name: 'MIT', url: 'https://opensource.org/license/mit' },
    },
    servers: [{ url: '/', description: 'This deployment' }],
    tags: TAGS,
  });
  for (const [path, item] of Object.entries(document.paths ?? {})) {
    for (const [method, operation] of Object.entries(item as Record<string, Operation>)) {
      for (const parameter of operation.parameters ?? []) withoutNull(parameter);
      addExamples(operation, (document.components?.schemas ?? {}) as Parameters<typeof addExamples>[1]);
      const access = accessOfOperation(method, path);
      Object.assign(operation, accessDocument(access, operation.description), {
        'x-codeSamples': codeSamples(method, path, operation, passOf(access)),
      });
    }
  }
  return { ...document, components: { ...document.components, securitySchemes: SECURITY_SCHEMES } };
}

/** What stands in an address is a text: a schema that reads numbers from it would take null for 0. */
function withoutNull({ schema }: SampledParameter & { readonly schema?: { type?: unknown } }): void {
  if (!Array.isArray(schema?.type)) return;
  const types = schema.type.filter((type) => type !== 'null');
  schema.type = types.length === 1 ? types[0] : types;
}

type Operation = Parameters<typeof addExamples>[0] &
  Pick<SampledOperation, 'requestBody'> & {
    description?: string;
    parameters?: Parameters<typeof withoutNull>[0][];
  };

/** By what samples are let in, and under which name they take it. */
function passOf(access: Access): SampledPass {
  if (access === 'open') return { kind: 'open' };
  if (access === 'signed') return { kind: 'link' };
  return { kind: 'token', variable: access === 'attempt' ? 'TASK_CALLBACK_TOKEN' : 'TASKLANE_TOKEN' };
}

/** The document spells parameters in its own way, and the synchronous route as one that it can spell. */
function accessOfOperation(method: string, path: string): Access {
  const route = path.replace('/{name}/{path}', '/:name/*').replaceAll(/\{(\w+)\}/g, ':$1');
  const access = accessOf({ method: method.toUpperCase(), path: route }) ?? accessOf({ method: 'ALL', path: route });
  if (access === undefined) throw new Error(`producer/access.ts has no row for ${method} ${path}`);
  return access;
}

/** What the table says about a route, as the document says it. */
function accessDocument(access: Access, description = '') {
  if (access === 'open' || access === 'signed') return { security: [] };
  if (access === 'attempt') return { security: [{ attempt: [] }] };
  const roles = Object.keys(access.roles).map((role) => `\`${role}\``);
  return {
    security: [{ token: [] }],
    description: `${description}${description === '' ? '' : ' '}Roles: ${roles.join(', ')}.`,
  };
}
