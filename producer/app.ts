/** The type of the HTTP application: what routes find in their context. */
import type { OpenAPIHono } from '@hono/zod-openapi';
import type { Principal } from '../shared/auth/token.ts';
import type { Scope } from './access.ts';
import type { LargeValue } from './json/large-value.ts';
import type { Runtime } from './runtime.ts';

/** Who asks, and whether about its own things or everybody's: the access table says which. */
export interface Caller extends Principal {
  readonly scope: Scope;
}

/** What a route says of the change that it made, beside what its address says. */
export interface Change {
  /** What it concerned, where the address does not name it. */
  readonly target?: string;
  readonly before?: unknown;
  readonly after?: unknown;
  /** How many things it concerned; one when absent. */
  readonly count?: number;
}

export interface AppEnv {
  Bindings: { readonly runtime: Runtime };
  Variables: {
    /** Of the request, by name in lower case. */
    headers: ReadonlyMap<string, string>;
    requestId?: string;
    /** Its body, read by `readsJson`. */
    json: unknown;
    principal: Caller;
    change?: Change;
    large?: LargeValue;
  };
}

export type App = OpenAPIHono<AppEnv>;
