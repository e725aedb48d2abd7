/**
 * Servers that join, beat and leave, and the registry's object that they join: the real one, which probes them
 * and reads and releases lines through what it is given.
 */
import { heartbeat } from '../../callback/registry/servers/heartbeat.ts';
import { register } from '../../callback/registry/servers/members.ts';
import type { RegistrySettings } from '../../callback/registry/settings.ts';
import { type Registration, RegistrationSchema } from '../../shared/registry/registration.ts';
import type { Services } from '../../shared/service/definition.ts';
import { HOUR_MS } from './clock.ts';
import { type Outside, RegistryObject } from './registry.ts';

const OWNER = { subject: 'farm', isAdmin: false };

interface Surroundings extends Pick<Outside, 'release' | 'readLines'> {
  /** Whether a server takes connections at `url`. */
  readonly isUp: (url: string) => boolean;
  readonly note: (event: string) => void;
}

function registrySettings(services: () => Services): RegistrySettings {
  return {
    heartbeatMs: 30_000,
    goneAfterMs: HOUR_MS,
    allowPrivateTargets: true,
    services: services(),
  };
}

export class Fleet {
  readonly object: RegistryObject;
  readonly #note: Surroundings['note'];
  readonly #beating = new Set<string>();
  readonly #registrations = new Map<string, Registration>();

  constructor(services: () => Services, { isUp, note, release, readLines }: Surroundings) {
    this.#note = note;
    this.object = new RegistryObject(() => registrySettings(services), {
      probe: async (checks) =>
        checks.map((check) => {
          const isReached = isUp(check.url);
          return { ...check, isReached, problem: isReached ? undefined : 'could not be reached' };
        }),
      release,
      readLines,
      log: ({ event, fields }) => note(`${event} ${JSON.stringify(fields)}`),
    });
  }

  /** A server that offers `served` registers, or comes back; @returns its id */
  join(name: string, more: Record<string, unknown> = {}): string {
    const registration = RegistrationSchema.parse({
      url: `http://${name}.test`,
      services: [{ name: 'served' }],
      ...more,
    });
    const id = `srv_${name.padStart(16, '0')}`;
    const answer = this.object.change((registry, now) => register(registry, registration, OWNER, id, now));
    this.#registrations.set(id, registration);
    if (!answer.ok) throw new Error(answer.detail);
    this.#beating.add(answer.value.id);
    this.#note(`${name} joins`);
    return answer.value.id;
  }

  leave(id: string): void {
    this.object.change((registry, now) => heartbeat(registry, id, { status: 'unhealthy' }, OWNER, now));
    this.#beating.delete(id);
    this.#note(`${id} leaves`);
  }

  /** Servers that are up say so, as often as somebody asks. */
  beat(): void {
    for (const id of this.#beating) {
      this.object.change((registry, now) => {
        const answer = heartbeat(registry, id, { status: 'healthy' }, OWNER, now);
        // It was forgotten: an agent that hears so registers its server again.
        const registration = this.#registrations.get(id);
        if (!answer.ok && registration !== undefined) register(registry, registration, OWNER, id, now);
      });
    }
  }
}
