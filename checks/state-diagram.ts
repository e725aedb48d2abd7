/**
 * The diagram in `docs/state-machine.md` is drawn from the transition table: every event is tried on every
 * state, with attempts and time left and without. `--write` puts it into the page; without it the page must
 * already say the same, and what each state means.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import type { StateFields, TaskState } from '../shared/task/state.ts';
import { heldFields, TASK_STATUSES, type TaskStatus } from '../shared/task/status.ts';
import { EVENT_TYPES, type TaskEvent, transition } from '../shared/task/transition.ts';
import { parseOptionsOrExit } from '../terminal/options.ts';

const PAGE = 'docs/state-machine.md';
const BLOCK = /(<!-- drawn from the transition table[^\n]*-->\n```mermaid\n)[\s\S]*?(\n```)/;
const NOW = 1_000_000;

/** Its time has come, whatever it waits for. */
const FIELDS: StateFields = {
  nextAt: NOW - 1,
  leaseUntil: NOW - 1,
  callbackUntil: NOW - 1,
  callbackTimeoutMs: 1,
  reason: 'no-key',
  parkedFor: undefined,
  finishedAt: NOW - 1,
};

function statesOf(status: TaskStatus): TaskState[] {
  return [NOW - 1, NOW + 1_000].flatMap((deadlineAt) =>
    [1, 3].map((run): TaskState => {
      const policy = { maxAttempts: 3, baseSeconds: 1, capSeconds: 1 };
      const counters = { run, deferrals: 0, attemptsOffset: 0, policy, deadlineAt };
      return {
        ...counters,
        status,
        ...Object.fromEntries(heldFields(status).map((each) => [each, FIELDS[each]])),
      } as TaskState;
    }),
  );
}

type Said<Event> = Event extends TaskEvent ? Omit<Event, 'type' | 'retryable' | 'park'> : never;
/** What the events say, all together: the compiler names one that says more. */
type SaidByAll<Union> = (Union extends unknown ? (part: Union) => void : never) extends (part: infer All) => void
  ? All
  : never;

/** Every event, as it comes when its time has come. */
function eventsFor({ run }: TaskState): readonly TaskEvent[] {
  const said: SaidByAll<Said<TaskEvent>> = {
    at: NOW,
    run,
    leaseMs: 1,
    callbackTimeoutMs: 1,
    reason: 'no-key',
    delayMs: 1,
    deadlineAt: NOW + 1_000,
  };
  return EVENT_TYPES.flatMap((type) => [true, false].map((retryable) => ({ ...said, type, retryable }) as TaskEvent));
}

function diagram(): string {
  const moves = new Map<string, Set<string>>();
  for (const status of TASK_STATUSES) {
    for (const state of statesOf(status)) {
      for (const event of eventsFor(state)) {
        const moved = transition(state, event);
        if (!moved.ok) continue;
        const arrow = `${status} --> ${moved.next.status}`;
        moves.set(arrow, (moves.get(arrow) ?? new Set()).add(event.type));
      }
    }
  }
  const lines = [...moves].map(([arrow, events]) => `  ${arrow}: ${[...events].join(', ')}`);
  return ['stateDiagram-v2', '  [*] --> queued: accepted', ...lines].join('\n');
}

const { write } = parseOptionsOrExit({ options: { write: { type: 'boolean' } } }).values;
const page = readFileSync(PAGE, 'utf8');
if (!BLOCK.test(page)) throw new Error(`${PAGE} has no place for the diagram`);
const meanings = page.slice(page.indexOf('## What the states mean'), page.indexOf('## Numbers on a task'));
for (const status of TASK_STATUSES.filter((each) => !meanings.includes(`\`${each}\``))) {
  console.error(`${PAGE} does not say what \`${status}\` means`);
  process.exitCode = 1;
}
const drawn = page.replace(BLOCK, (_, head: string, foot: string) => head + diagram() + foot);
if (write) {
  writeFileSync(PAGE, drawn);
  console.log(`wrote the diagram into ${PAGE}`);
} else if (page === drawn) {
  console.log(`the diagram in ${PAGE} is what the table says`);
} else {
  console.error(`the diagram in ${PAGE} is not what the table says; run: npm run diagram`);
  process.exitCode = 1;
}
