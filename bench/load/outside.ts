/** The handle on the load process: starts it, hands it jobs, ends it. */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Job, JobMessage, OutcomeMessage, Outcomes } from './job.ts';

interface Waiting {
  resolve(outcome: never): void;
  reject(cause: Error): void;
}

export class Outside {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, Waiting>();
  #number = 0;

  constructor() {
    this.#child = fork(fileURLToPath(new URL('process.ts', import.meta.url)), { serialization: 'advanced' });
    this.#child.on('message', (message: OutcomeMessage) => this.#settle(message));
    this.#child.on('exit', () => this.#abandon());
  }

  perform<Kind extends Job['kind']>(job: Extract<Job, { kind: Kind }>): Promise<Outcomes[Kind]> {
    const number = this.#number++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(number, { resolve, reject });
      this.#child.send({ number, job } satisfies JobMessage);
    });
  }

  stop(): void {
    this.#child.disconnect();
  }

  #settle(message: OutcomeMessage): void {
    const waiting = this.#waiting.get(message.number);
    this.#waiting.delete(message.number);
    if ('failure' in message) waiting?.reject(new Error(message.failure));
    else waiting?.resolve(message.outcome as never);
  }

  #abandon(): void {
    for (const { reject } of this.#waiting.values()) reject(new Error('the load process ended'));
    this.#waiting.clear();
  }
}
