/**
 * Counts what a Worker asks of the platform, by wrapping its bindings: database statements and rows,
 * queue operations, calls of other Workers. The real Worker runs unchanged behind it.
 *
 * A queue operation is counted per 64 KB (64,000 bytes, metadata of 100 bytes a message included), as
 * Queues are billed; a write at the send, a read at each delivery, a delete at the ack.
 */

import type { Counts, Ledger } from './counts.ts';

/** 64 KB in the units of the bill, and the metadata that counts towards a message's size. */
const OPERATION_BYTES = 64_000;
const METADATA_BYTES = 100;

const none = (): Counts => ({
  statements: 0,
  rowsRead: 0,
  rowsWritten: 0,
  queueWrites: 0,
  queueReads: 0,
  queueDeletes: 0,
  invocations: 0,
  mostInvocations: 0,
  durableObjectCalls: 0,
  durableObjectRowsWritten: 0,
  bucketWrites: 0,
  bucketReads: 0,
});

/** What the cron does is counted apart: it runs beside every measurement. */
const counters: Record<Ledger, Counts> = { work: none(), cron: none() };

/** The counts, and from then on new ones. */
export function takeCounts(): Record<Ledger, Counts> {
  const taken = { work: counters.work, cron: counters.cron };
  counters.work = none();
  counters.cron = none();
  return taken;
}

const metered = new Map<object, Map<Ledger, object>>();

/** `env` with counting bindings; the same object for the same `env`, as Workers keep things by it. */
export function meteredEnv<Env extends object>(env: Env, ledger: Ledger = 'work'): Env {
  const known = metered.get(env)?.get(ledger);
  if (known !== undefined) return known as Env;
  const wrapped = Object.fromEntries(Object.entries(env).map(([name, binding]) => [name, wrap(name, binding, ledger)]));
  metered.set(env, new Map([...(metered.get(env) ?? []), [ledger, wrapped]]));
  return wrapped as Env;
}

function wrap(name: string, binding: unknown, ledger: Ledger): unknown {
  if (typeof binding !== 'object' || binding === null) return binding;
  // Service bindings answer to every name; they are known by their own.
  if (['LEDGER', 'CALLBACK', 'REGISTRY'].includes(name) || /^(?:CONSUMER|SYNC)_\d+$/.test(name))
    return meteredService(binding, ledger);
  if (name.startsWith('TASK_DB_')) return meteredDatabase(binding as D1Database, ledger);
  if (name.endsWith('_QUEUE') || name.startsWith('TASK_QUEUE_')) return meteredQueue(binding as Queue, ledger);
  if (name === 'BODIES') return meteredBucket(binding, ledger);
  if ('idFromName' in binding) return meteredNamespace(binding, ledger);
  return binding;
}

function meteredService(binding: object, ledger: Ledger): object {
  return new Proxy(binding, {
    get(target, name) {
      const member = Reflect.get(target, name) as unknown;
      if (typeof member !== 'function') return member;
      return (...args: unknown[]) => {
        counters[ledger].invocations += 1;
        return Reflect.apply(member, target, args);
      };
    },
  });
}

/** An isolate asks each five seconds whether definitions have changed, however much work there is: not counted as work. */
const TIMED_QUESTION = 'readServices';

/** An isolate asks each 15 seconds how large a store is. */
const TIMED_STATEMENT = 'SELECT 1 AS size';

/** Every method of every stub is a call of its object. */
function meteredNamespace(binding: object, ledger: Ledger): object {
  const meteredStub = (stub: object) =>
    new Proxy(stub, {
      get(target, name) {
        const member = Reflect.get(target, name) as unknown;
        if (typeof member !== 'function') return member;
        return (...args: unknown[]) => {
          counters[name === TIMED_QUESTION ? 'cron' : ledger].durableObjectCalls += 1;
          return Reflect.apply(member, target, args);
        };
      },
    });
  return new Proxy(binding, {
    get(target, name) {
      const member = Reflect.get(target, name) as unknown;
      if (typeof member !== 'function') return member;
      return (...args: unknown[]) => {
        const value = Reflect.apply(member, target, args) as unknown;
        return name === 'get' || name === 'getByName' ? meteredStub(value as object) : value;
      };
    },
  });
}

/** From then on, what the object that owns this storage writes is counted: by statements that return no rows, so that they have ended. */
export function meterStorage(storage: DurableObjectStorage): void {
  const { sql } = storage;
  const exec = sql.exec.bind(sql);
  const setAlarm = storage.setAlarm.bind(storage);
  sql.exec = <Row extends Record<string, SqlStorageValue>>(query: string, ...bindings: unknown[]) => {
    const cursor = exec<Row>(query, ...bindings);
    counters.work.durableObjectRowsWritten += cursor.rowsWritten;
    return cursor;
  };
  storage.setAlarm = (at, options) => {
    counters.work.durableObjectRowsWritten += 1;
    return setAlarm(at, options);
  };
}

const BUCKET_READS = new Set(['get', 'head']);
const BUCKET_WRITES = new Set(['put', 'list', 'createMultipartUpload', 'uploadPart', 'complete']);

/** An upload in parts is a bucket's too. */
function meteredBucket<Bucket extends object>(bucket: Bucket, ledger: Ledger): Bucket {
  return new Proxy(bucket, {
    get(target, name) {
      const member = Reflect.get(target, name) as unknown;
      if (typeof member !== 'function') return member;
      return (...args: unknown[]) => {
        if (BUCKET_READS.has(String(name))) counters[ledger].bucketReads += 1;
        if (BUCKET_WRITES.has(String(name))) counters[ledger].bucketWrites += 1;
        const value = Reflect.apply(member, target, args) as unknown;
        if (name === 'resumeMultipartUpload') return meteredBucket(value as object, ledger);
        if (name !== 'createMultipartUpload') return value;
        return (value as Promise<object>).then((upload) => meteredBucket(upload, ledger));
      };
    },
  });
}

function meteredQueue(queue: Queue, ledger: Ledger): Pick<Queue, 'send' | 'sendBatch'> {
  return {
    send: (body, options) => {
      counters[ledger].queueWrites += operations(body);
      return queue.send(body, options);
    },
    sendBatch: (messages, options) => {
      const sent = [...messages];
      for (const { body } of sent) counters[ledger].queueWrites += operations(body);
      return queue.sendBatch(sent, options);
    },
  };
}

function operations(body: unknown): number {
  const bytes = new TextEncoder().encode(JSON.stringify(body)).length + METADATA_BYTES;
  return Math.ceil(bytes / OPERATION_BYTES);
}

/** A batch whose deliveries and acks are counted. */
export function meteredBatch<Body>(batch: MessageBatch<Body>): MessageBatch<Body> {
  const messages = batch.messages.map((message) => {
    counters.work.queueReads += operations(message.body);
    return new Proxy(message, {
      get(target, name) {
        if (name === 'ack') {
          return () => {
            counters.work.queueDeletes += operations(target.body);
            target.ack();
          };
        }
        const member = Reflect.get(target, name) as unknown;
        return typeof member === 'function' ? member.bind(target) : member;
      },
    });
  });
  return new Proxy(batch, { get: (target, name) => (name === 'messages' ? messages : Reflect.get(target, name)) });
}

/** Runs one batch and notes how many invocations it caused. One batch runs at a time. */
export async function countingInvocations(batch: () => Promise<void>): Promise<void> {
  const before = counters.work.invocations;
  await batch();
  counters.work.mostInvocations = Math.max(counters.work.mostInvocations, counters.work.invocations - before);
}

function meteredDatabase(database: D1Database, ledger: Ledger): Pick<D1Database, 'prepare' | 'batch'> {
  const count = <Row>(result: D1Result<Row>, to: Ledger = ledger): D1Result<Row> => {
    counters[to].statements += 1;
    counters[to].rowsRead += result.meta.rows_read;
    counters[to].rowsWritten += result.meta.rows_written;
    return result;
  };
  const inner = new WeakMap<object, D1PreparedStatement>();
  const statement = (real: D1PreparedStatement, to: Ledger): D1PreparedStatement => {
    const all = async <Row>() => count(await real.all<Row>(), to);
    const wrapped = {
      bind: (...values: unknown[]) => statement(real.bind(...values), to),
      all,
      run: all,
      first: async <Row>() => (await all<Row>()).results[0] ?? null,
    };
    inner.set(wrapped, real);
    return wrapped as unknown as D1PreparedStatement;
  };
  return {
    prepare: (sql) => statement(database.prepare(sql), sql === TIMED_STATEMENT ? 'cron' : ledger),
    batch: async <Row>(statements: D1PreparedStatement[]) => {
      const results = await database.batch<Row>(statements.map((each) => inner.get(each) ?? each));
      return results.map((result) => count(result));
    },
  };
}
