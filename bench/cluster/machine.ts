/** A machine of the cluster: an example server and the agent beside it, each a process of its own. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { ROOT } from '../../deploy/plan/plan-files.ts';
import type { Conduct } from '../../examples/server/conduct.ts';
import type { ServerReport } from '../../examples/server/server.ts';

export interface MachineOptions {
  readonly name: string;
  /** Where its configuration is written. */
  readonly dir: string;
  readonly coordinator: string;
  /** Of the role server. */
  readonly token: string;
  readonly service: string;
  readonly conduct?: Partial<Conduct>;
  readonly weight?: number;
  /** 0, the default, takes any free one. */
  readonly port?: number;
}

/** A line of the agent's `--json` output. */
export interface AgentLine {
  readonly at: string;
  readonly event: string;
  readonly [field: string]: unknown;
}

/** Ends a program with the one that started it, however that ends, and does not keep it alive. */
const ORPHAN_GUARD = `data:text/javascript,${encodeURIComponent("process.on('disconnect', () => process.exit(1)); process.channel.unref();")}`;

const FLAGS: Readonly<Record<keyof Conduct, string>> = {
  latencyMs: '--latency-ms',
  jitterMs: '--jitter-ms',
  failRate: '--fail-rate',
  version: '--version',
};
/** Calls at a time that a machine takes. */
export const MAX_CONCURRENCY = 16;
const LINGER_MS = 500;
const LOOK_MS = 20;

export class Machine {
  readonly name: string;
  readonly url: string;
  /** Everything that the agent said, the agents of earlier lives too. */
  readonly lines: AgentLine[] = [];
  readonly #options: MachineOptions;
  readonly #server: ChildProcess;
  #agent: ChildProcess | undefined;
  #problems = '';

  private constructor(options: MachineOptions, server: ChildProcess, url: string) {
    this.name = options.name;
    this.url = url;
    this.#options = options;
    this.#server = server;
  }

  /** The server alone; `startAgent` brings it in. */
  static async start(options: MachineOptions): Promise<Machine> {
    const { name, port = 0, conduct = {} } = options;
    const flags = Object.entries(conduct).flatMap(([setting, value]) => [
      FLAGS[setting as keyof Conduct],
      String(value),
    ]);
    const args = ['--port', String(port), '--name', name, '--linger-ms', String(LINGER_MS), ...flags];
    const server = fork(path.join(ROOT, 'examples', 'server', 'main.ts'), args, { execArgv: [] });
    const [message] = (await once(server, 'message')) as [{ readonly listening: string }];
    return new Machine(options, server, message.listening);
  }

  /** Resolves when the server is registered. */
  async startAgent(): Promise<void> {
    const { dir, name, coordinator, token, service, weight = 1 } = this.#options;
    const file = path.join(dir, `${name}.json`);
    const config = {
      coordinator,
      url: this.url,
      services: [{ name: service, localUrl: this.url, version: { json: 'version' } }],
      weight,
      maxConcurrency: MAX_CONCURRENCY,
      cluster: 'bench',
      listen: { port: 0, host: '127.0.0.1' },
      detectSeconds: 0.2,
      drainSeconds: 20,
    };
    await writeFile(file, JSON.stringify(config));
    const agent = fork(path.join(ROOT, 'agent', 'main.ts'), ['--config', file, '--json'], {
      execArgv: ['--import', ORPHAN_GUARD],
      env: { ...process.env, TASKLANE_TOKEN: token },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    this.#agent = agent;
    this.#problems = '';
    agent.stderr?.on('data', (chunk) => (this.#problems += chunk));
    if (agent.stdout) {
      createInterface({ input: agent.stdout }).on('line', (line) => this.lines.push(JSON.parse(line) as AgentLine));
    }
    await this.says('registered');
  }

  /** Resolves with the next line of this kind, after `from` lines. @throws Error when the agent ends without it */
  async says(event: string, { from = this.lines.length, timeoutMs = 20_000 } = {}): Promise<AgentLine> {
    const giveUpAt = Date.now() + timeoutMs;
    for (;;) {
      const found = this.lines.slice(from).find((line) => line.event === event);
      if (found !== undefined) return found;
      const ended = this.#agent?.exitCode ?? this.#agent?.signalCode;
      if (Date.now() > giveUpAt || (ended !== undefined && ended !== null)) {
        const said = this.lines.slice(from).map((line) => line.event);
        throw new Error(`the agent of ${this.name} did not say ${event}, only ${said.join(', ')} ${this.#problems}`);
      }
      await sleep(LOOK_MS);
    }
  }

  /** What it said last of who leads. */
  get leads(): boolean {
    const said = this.lines.findLast(({ event }) =>
      ['leading', 'stepped-down', 'following', 'started'].includes(event),
    );
    return said?.event === 'leading';
  }

  async report(): Promise<ServerReport> {
    return (await (await fetch(`${this.url}/_log`)).json()) as ServerReport;
  }

  async set(conduct: Partial<Conduct>): Promise<void> {
    const query = new URLSearchParams(
      Object.fromEntries(Object.entries(conduct).map(([name, value]) => [name, String(value)])),
    );
    await (await fetch(`${this.url}/_set?${query}`, { method: 'POST' })).arrayBuffer();
  }

  /** In order: the agent drains and deregisters, then the server finishes. */
  async retire(): Promise<void> {
    await end(this.#agent, 'SIGTERM');
    await end(this.#server, 'SIGTERM');
  }

  /** The power fails. */
  async kill(): Promise<void> {
    await Promise.all([end(this.#agent, 'SIGKILL'), end(this.#server, 'SIGKILL')]);
  }
}

async function end(child: ChildProcess | undefined, signal: NodeJS.Signals): Promise<void> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill(signal);
  await gone;
}
