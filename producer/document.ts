/** The API document (OpenAPI 3.1) of a app: its routes and what they share. */
import type { App } from './app.ts';

const TAGS = [
  { name: 'tasks', description: 'Submitting tasks, following them, ending them.' },
  { name: 'backends', description: 'What backends say about the tasks they work on.' },
  { name: 'servers', description: 'Servers that register themselves, and how calls are spread over them.' },
  { name: 'services', description: 'What tasks can be submitted to.' },
  { name: 'keys', description: 'The API keys with which backends are called.' },
  { name: 'tokens', description: 'Who may ask.' },
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
  return { ...document, components: { ...document.components, securitySchemes: SECURITY_SCHEMES } };
}
