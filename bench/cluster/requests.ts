/**
 * Synchronous requests from several callers at once, each sending the next when it has the answer. They
 * wait for a place as callers do that share servers with a backlog of tasks.
 */
import { SERVICE, type Stage } from './stage.ts';

export interface Answered {
  /** 0: no answer at all. */
  readonly status: number;
  readonly ms: number;
  /** As the server calls itself. */
  readonly server: string | undefined;
  readonly version: string | undefined;
  /** What was answered instead of 200. */
  readonly problem: string | undefined;
}

export interface Requests {
  /** Resolves when the requests under way have been answered. */
  stop(): Promise<readonly Answered[]>;
}

const WAIT_SECONDS = 30;
const CALL_TIMEOUT_MS = 60_000;

export function startRequests(stage: Stage, callers: number): Requests {
  const answers: Answered[] = [];
  let stopping = false;
  const caller = async () => {
    while (!stopping) answers.push(await request(stage));
  };
  const calling = Promise.all(Array.from({ length: callers }, caller));
  return {
    stop: async () => {
      stopping = true;
      await calling;
      return answers;
    },
  };
}

async function request(stage: Stage): Promise<Answered> {
  const startedAt = performance.now();
  try {
    const response = await fetch(`${stage.url}/api/service/${SERVICE}/run`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${stage.tokens.client}`,
        'content-type': 'application/json',
        prefer: `wait=${WAIT_SECONDS}`,
      },
      body: '{}',
      signal: AbortSignal.timeout(CALL_TIMEOUT_MS),
    });
    const text = await response.text();
    const ms = performance.now() - startedAt;
    if (response.status !== 200)
      return { status: response.status, ms, server: undefined, version: undefined, problem: text };
    const { server, version } = JSON.parse(text) as { server: string; version: string };
    return { status: 200, ms, server, version, problem: undefined };
  } catch (error) {
    const { message, cause } = error as Error;
    const problem = cause instanceof Error ? cause.message : message;
    return { status: 0, ms: performance.now() - startedAt, server: undefined, version: undefined, problem };
  }
}
