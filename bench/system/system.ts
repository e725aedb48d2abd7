/**
 * A system under test: something that takes tasks at `POST /api/task` and `/api/tasks/batch`, calls
 * the bench's backends and answers `GET /api/task/:id`. Everything that the bench needs to know of it
 * is here, the same for both sides.
 */
import type { Address } from '../load/connection.ts';
import type { Records } from './records.ts';
import type { RuntimeProcess } from './runtime-process.ts';

export interface System {
  readonly name: string;
  /** What an accepted task survives. */
  readonly durability: string;
  readonly address: Address;
  /** The bench's backend, called by nobody in between. */
  readonly backend: Address;
  /** Headers of every request: the client's token, if the system wants one. */
  readonly headers: Readonly<Record<string, string>>;
  /** Of whoever pauses a service, where it can be paused. */
  readonly operatorHeaders?: Readonly<Record<string, string>>;
  readonly runtime: RuntimeProcess;
  readonly records: Records;
  stop(): Promise<void>;
}

/** Paths of the bench's backend, each a service of the same name on both sides. */
const SERVICES = ['instant', 'slow50', 'gate'] as const;
export type ServiceName = (typeof SERVICES)[number];

/** Services that only Tasklane knows: on a registered server, and with keys of a pool. */
export const TASKLANE_SERVICES = ['served', 'keyed'] as const;

export function backendServices(port: number): Record<ServiceName, { baseUrl: string; path: string }> {
  const entries = SERVICES.map((name) => [name, { baseUrl: `http://127.0.0.1:${port}`, path: `/${name}` }]);
  return Object.fromEntries(entries) as Record<ServiceName, { baseUrl: string; path: string }>;
}

/** Shards, and so queues and consumer Workers, on both sides. */
export const SHARDS = 2;
