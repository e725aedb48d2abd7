/** `tasklane-agent`: reads arguments, configuration and token, and runs the agent until a signal. */

import { readFileSync } from 'node:fs';
import { parseOptions } from '../terminal/options.ts';
import { Agent, RefusedAtStart } from './agent.ts';
import { type AgentConfig, parseConfig } from './config.ts';
import { Coordinator } from './coordinator.ts';
import { jsonLine, textLine } from './event.ts';
import { inspect } from './once.ts';

const HELP = `The agent beside a backend: registers its services with Tasklane and keeps them
registered.

  tasklane-agent --config agent.json [--once] [--json]

  --config FILE   what to register (agent.json)
  --once          test the configuration and register nothing; exit code 0 when
                  it would work
  --json          one JSON object a line instead of text
  --help          this text

  TASKLANE_TOKEN            a token of the role server (or the variable that
                            "tokenEnv" names)
  TASKLANE_COORDINATOR      wins over "coordinator"
  TASKLANE_SERVER_URL       wins over "url"

Ctrl-C or SIGTERM takes the server out of use, waits for running work and
deregisters; a second one does not wait. Exit codes: 0 done, 1 refused or not
possible, 2 the configuration is wrong.
The guide is docs/agent.md.`;

class UsageError extends Error {}

interface Options {
  readonly config: string;
  readonly once: boolean;
  readonly json: boolean;
}

function readOptions(): Options | undefined {
  try {
    const { values } = parseOptions({
      options: {
        config: { type: 'string', default: 'agent.json' },
        once: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    return values.help ? undefined : values;
  } catch (error) {
    throw new UsageError(`${(error as Error).message}\nSee tasklane-agent --help`);
  }
}

function readConfig(file: string): AgentConfig {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'is not there' : (error as Error).message;
    throw new UsageError(`${file} ${reason}; name the configuration with --config FILE`);
  }
  const result = parseConfig(text, process.env);
  if (result.ok) return result.config;
  throw new UsageError(`${file} is not right:\n${result.problems.map((problem) => `  ${problem}`).join('\n')}`);
}

function readToken({ tokenEnv }: AgentConfig): string {
  const token = process.env[tokenEnv]?.trim();
  if (token) return token;
  throw new UsageError(`the environment variable ${tokenEnv} holds no token; make one with the role server`);
}

async function testOnce(config: AgentConfig, coordinator: Coordinator, json: boolean): Promise<number> {
  const { findings, registration, passed } = await inspect(config, coordinator);
  if (json) {
    for (const finding of findings) console.log(JSON.stringify(finding));
    console.log(JSON.stringify({ check: 'registration', passed, registration }));
  } else {
    const mark = { ok: '✓', warning: '!', problem: '✗' };
    for (const { subject, severity, text } of findings) console.log(`${mark[severity]} ${subject}: ${text}`);
    console.log(`\nWould register:\n${JSON.stringify(registration, undefined, 2)}`);
    const isClear = findings.every(({ severity }) => severity === 'ok');
    const works = isClear ? 'This works.' : 'This may work: see what is marked with ! above.';
    console.log(passed ? `\n${works}` : '\nThis does not work yet.');
  }
  return passed ? 0 : 1;
}

async function runUntilSignal(config: AgentConfig, coordinator: Coordinator, json: boolean): Promise<number> {
  const agent = new Agent(config, coordinator, (event) => {
    console.log(json ? jsonLine(event, Date.now()) : textLine(event, Date.now()));
  });
  let signals = 0;
  const stop = () => {
    signals++;
    if (signals > 1) process.exit(1);
    agent.stop();
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  // Nobody reads the output any more: no reason to leave the cluster.
  process.stdout.on('error', () => {});
  await agent.run();
  return 0;
}

async function main(): Promise<number> {
  const options = readOptions();
  if (options === undefined) {
    console.log(HELP);
    return 0;
  }
  const config = readConfig(options.config);
  const coordinator = new Coordinator(config.coordinator, readToken(config));
  return options.once ? testOnce(config, coordinator, options.json) : runUntilSignal(config, coordinator, options.json);
}

try {
  process.exitCode = await main();
} catch (error) {
  if (error instanceof UsageError) {
    console.error(`tasklane-agent: ${error.message}`);
    process.exitCode = 2;
  } else if (error instanceof RefusedAtStart) {
    console.error(`tasklane-agent: the coordinator refuses: ${error.message}`);
    process.exitCode = 1;
  } else if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') {
    console.error('tasklane-agent: the port in "listen" is in use; choose another');
    process.exitCode = 1;
  } else {
    throw error;
  }
}
