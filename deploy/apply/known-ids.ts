/**
 * The ids of what a deployment has: those that the account told at the start of a run, and those that answers to
 * creations gave. Lists are read again only when it is not known whether a creation landed.
 */
import type { Account, AccountQueue } from '../account/account.ts';
import { DeployError } from '../deploy-error.ts';

export class KnownIds {
  readonly #queues: Map<string, AccountQueue>;
  readonly #databases: Map<string, string>;

  constructor({ queues, databases }: Pick<Account, 'queues' | 'databases'>) {
    this.#queues = new Map(queues);
    this.#databases = new Map([...databases.values()].map(({ name, id }) => [name, id]));
  }

  get databases(): ReadonlyMap<string, string> {
    return this.#databases;
  }

  findQueue(name: string): AccountQueue | undefined {
    return this.#queues.get(name);
  }

  /** @throws DeployError when somebody else removed it meanwhile */
  queue(name: string): AccountQueue {
    const queue = this.#queues.get(name);
    if (queue === undefined) throw new DeployError(`the queue ${name} is gone`);
    return queue;
  }

  /** @throws DeployError when somebody else removed it meanwhile */
  database(name: string): string {
    const id = this.#databases.get(name);
    if (id === undefined) throw new DeployError(`the database ${name} is gone`);
    return id;
  }

  noteQueue(queue: AccountQueue): void {
    this.#queues.set(queue.name, queue);
  }

  noteDatabase(name: string, id: string): void {
    this.#databases.set(name, id);
  }

  forgetQueue(name: string): void {
    this.#queues.delete(name);
  }
}
