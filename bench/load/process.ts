/**
 * The process outside: load generator and backends, apart from the process that holds the runtimes,
 * so that the runtimes' own processor time can be told from the bench's. Takes jobs over IPC.
 */
import { Backend } from './backend.ts';
import { drive, lone, timeCalls } from './drive.ts';
import type { Job, JobMessage, OutcomeMessage } from './job.ts';

const backend = new Backend();

process.on('message', ({ number, job }: JobMessage) => {
  perform(job).then(
    (outcome) => answer({ number, outcome }),
    (cause: unknown) => answer({ number, failure: cause instanceof Error ? cause.message : String(cause) }),
  );
});
process.on('disconnect', () => process.exit());

function answer(message: OutcomeMessage): void {
  process.send?.(message);
}

async function perform(job: Job): Promise<unknown> {
  switch (job.kind) {
    case 'drive':
      return drive(job);
    case 'lone':
      return lone(job);
    case 'time-calls':
      return timeCalls(job);
    case 'listen':
      return backend.listen();
    case 'reset':
      return backend.reset(job.gateClosed);
    case 'await-calls':
      return backend.awaitCalls(job.count, job.timeoutMs);
  }
}
