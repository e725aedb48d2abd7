/** The ledger as consumers see it, in memory: rows, lines in the order of submission, and sessions that take a moment. */
import type { LedgerSession } from '../../shared/ledger/contract.ts';
import type { ReleaseAnswer, ReleaseRequest } from '../../shared/ledger/line.ts';
import { newTaskMessage, type TaskMessage, wakeMessage } from '../../shared/message/task-message.ts';

const HOUR_MS = 3_600_000;
const POLICY = { maxAttempts: 8, baseSeconds: 2, capSeconds: 3600 };

export interface Row {
  readonly id: string;
  readonly number: number;
  readonly service: string;
  readonly submittedAt: number;
  readonly request: object;
  run: number;
  deferrals: number;
  line: string | undefined;
  /** Of its call that is under way, or that ended it. */
  startedAt: number | undefined;
  endedAt: number | undefined;
  outcome: 'open' | 'succeeded' | 'failed';
}

export class LedgerModel {
  readonly rows = new Map<string, Row>();
  open = 0;
  readonly #rpcMs: number;
  /** In line, the oldest first. */
  readonly #lines = new Map<string, Row[]>();

  constructor(rpcMs: number) {
    this.#rpcMs = rpcMs;
  }

  submit(service: string, more: object = {}): { readonly id: string; readonly message: TaskMessage } {
    const number = this.rows.size;
    const id = `tsk_${String(number).padStart(32, '0')}`;
    const request = { path: `/${id}`, ...more };
    const counts = { run: 0, deferrals: 0, line: undefined, startedAt: undefined, endedAt: undefined };
    this.rows.set(id, { id, number, service, submittedAt: Date.now(), request, ...counts, outcome: 'open' });
    this.open += 1;
    const deadlineAt = Date.now() + 24 * HOUR_MS;
    const task = { id, subject: 'alice', service, policy: POLICY, deadlineAt, request };
    return { id, message: newTaskMessage(task) };
  }

  row(id: string): Row {
    const row = this.rows.get(id);
    if (row === undefined) throw new Error(`no task ${id}`);
    return row;
  }

  async release({ line, limit, tasks }: ReleaseRequest, send: (message: TaskMessage) => void): Promise<ReleaseAnswer> {
    await passed(this.#rpcMs);
    const stand = this.#lines.get(line) ?? [];
    const released = stand.filter(({ id }) => tasks?.includes(id) ?? true).slice(0, limit);
    const left = stand.filter((row) => !released.includes(row));
    this.#lines.set(line, left);
    for (const row of released) {
      row.line = undefined;
      send(wakeMessage(row.id, row.service, line));
    }
    return { released: released.length, left: left.length > 0 };
  }

  /** Without the parts that ask the registry. */
  session(): Pick<LedgerSession, 'claim' | 'settle' | 'cancelledAmong'> {
    return {
      claim: ({ claims }) =>
        this.answer(() =>
          claims.map(({ id, leaseMs }) => {
            const row = this.row(id);
            row.run += 1;
            const { run, deferrals, service } = row;
            const state = {
              status: 'running',
              run,
              deferrals,
              attemptsOffset: 0,
              policy: POLICY,
              deadlineAt: row.submittedAt + 24 * HOUR_MS,
              leaseUntil: Date.now() + leaseMs,
            } as const;
            const request = JSON.stringify(row.request);
            return { id, granted: true as const, state, service, callbackToken: `${run}.x`, request };
          }),
        ),
      settle: (settlements) => this.answer(() => settlements.map(({ id, event }) => this.#settle(this.row(id), event))),
      cancelledAmong: () => this.answer(() => []),
    };
  }

  async answer<Value>(take: () => Value | Promise<Value>): Promise<Value> {
    await passed(this.#rpcMs);
    return take();
  }

  #settle(row: Row, event: Parameters<LedgerSession['settle']>[0][number]['event']) {
    const { id } = row;
    if (event.type !== 'defer') {
      row.outcome = event.type === 'succeed' ? 'succeeded' : 'failed';
      row.endedAt = Date.now();
      this.open -= 1;
      return { id, status: row.outcome, disposition: { kind: 'ack' as const } };
    }
    row.deferrals += 1;
    if (event.park === undefined) {
      return { id, status: 'deferred' as const, disposition: { kind: 'retry' as const, delayMs: event.delayMs } };
    }
    row.line = event.park.line;
    const line = this.#lines.get(row.line) ?? [];
    this.#lines.set(row.line, line);
    line.splice(line.findLastIndex(({ number }) => number < row.number) + 1, 0, row);
    return { id, status: 'deferred' as const, disposition: { kind: 'ack' as const } };
  }
}

export function passed(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
