/** The type of the HTTP application: what routes find in their context. */
import type { OpenAPIHono } from '@hono/zod-openapi';
import type { Principal } from '../shared/auth/token.ts';
import type { Runtime } from './runtime.ts';

export interface AppEnv {
  Bindings: { readonly runtime: Runtime };
  Variables: { principal: Principal };
}

export type App = OpenAPIHono<AppEnv>;
