/**
 * A Worker as an account keeps it: versions that never change, one of which serves, and settings that belong to no
 * version. Its getters speak of the version that serves, because that is what runs.
 */
import { createHash } from 'node:crypto';
import type { Binding, UploadMetadata } from '../deploy/upload/metadata.ts';

export interface UploadedFile {
  readonly name: string;
  readonly contents: string;
}

export interface Version {
  readonly id: string;
  readonly number: number;
  /** Without bindings to secrets. */
  readonly metadata: UploadMetadata;
  readonly files: readonly UploadedFile[];
  readonly exports: ReadonlySet<string>;
  readonly secrets: ReadonlyMap<string, string>;
}

export interface ScriptSettings {
  readonly observability?: Readonly<Record<string, unknown>> | undefined;
  readonly logpush?: boolean | undefined;
  readonly tail_consumers?: readonly Readonly<Record<string, unknown>>[] | undefined;
}

export class Script {
  readonly name: string;
  versions: readonly Version[];
  /** Ids of the versions that served, the current one first. */
  deployments: readonly string[];
  migrationTag: string | undefined;
  classes: ReadonlySet<string> = new Set();
  settings: ScriptSettings = {};
  crons: readonly string[] = [];
  hasAddress = false;
  hasPreviews = false;
  domains: readonly string[] = [];

  constructor(name: string, first: Omit<Version, 'id' | 'number'>) {
    this.name = name;
    this.versions = [numbered(name, 1, first)];
    this.deployments = this.versions.map(({ id }) => id);
  }

  copy(): Script {
    return Object.assign(Object.create(Script.prototype) as Script, this);
  }

  get newest(): Version {
    return this.versions.at(-1) as Version;
  }

  get live(): Version {
    return this.versions.find(({ id }) => id === this.deployments[0]) as Version;
  }

  get metadata(): UploadMetadata {
    return this.live.metadata;
  }

  get files(): readonly UploadedFile[] {
    return this.live.files;
  }

  get exports(): ReadonlySet<string> {
    return this.live.exports;
  }

  get secrets(): ReadonlyMap<string, string> {
    return this.live.secrets;
  }

  /** A new version that serves at once. */
  add(version: Omit<Version, 'id' | 'number'>): void {
    const added = numbered(this.name, this.newest.number + 1, version);
    this.versions = [...this.versions, added];
    this.deployments = [added.id, ...this.deployments];
  }

  /** What `wrangler rollback` does: an older version serves, and stays the older one. */
  rollBack(): void {
    const before = this.versions.find(({ number }) => number === this.live.number - 1);
    if (before !== undefined) this.deployments = [before.id, ...this.deployments];
  }
}

/** Every binding of a version, those to secrets without their values, as the API tells it. */
export function bindingsOf({ metadata, secrets }: Version): Binding[] {
  return [...metadata.bindings, ...[...secrets.keys()].map((name) => ({ name, type: 'secret_text' }))];
}

/** The same for the same version of the same name, so that two accounts that went the same way are equal. */
function numbered(name: string, number: number, version: Omit<Version, 'id' | 'number'>): Version {
  return { ...version, id: dashedId(`version ${name} ${number}`), number };
}

/** As the API writes ids of versions and databases: a UUID with dashes. */
export function dashedId(text: string): string {
  const hex = createHash('sha256').update(text).digest('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join('-');
}
