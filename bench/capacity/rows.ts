/** The providers and mishaps that the capacity bench runs, each with what is asked of it. */
import { LIMITS } from './limit-rows.ts';
import type { Limits, Said } from './provider.ts';
import { at, fixed, type Row, TOLD, UNTOLD } from './row.ts';
import type { Result, Scenario, SimulatedTask } from './simulation.ts';

const unlimited: Limits = { kind: 'none' };
const refusal = (status: number) => (): Said => ({ status });

const revoked = (name: string, first: number): Row => ({
  name,
  scenario: {
    limits: fixed(5, 5),
    keys: [12],
    latencyMs: 5,
    tasks: at(400),
    keyAnswer: (key) => (key === first || key === first + 1 ? { status: 401 } : undefined),
  },
  idealSeconds: 40,
  maxLimitedShare: UNTOLD,
});

/** From here on so many keys bear 20 calls a second together. */
const WAVE_AT = 130_000;

/** All are told two seconds in the same second: they come neither together then, nor again and again. */
function wave({ refusals, starts }: Result): string | undefined {
  const told = refusals.filter((at) => at >= WAVE_AT && at < WAVE_AT + 1_000).length;
  const again = refusals.filter((at) => at >= WAVE_AT + 1_000).length;
  const later = starts.filter((at) => at >= WAVE_AT + 1_000);
  const most = Math.max(...later.map((from) => later.filter((at) => at >= from && at < from + 1_000).length));
  if (told < 50) return `${told} of 200 were told`;
  if (again > 10) return `${again} were told again`;
  // What two seconds bear may come at their beginning.
  return most > 44 ? `${most} came in the same second` : undefined;
}

/** A few tasks a second through keys without limits, one of which is odd. */
const steadily = (count: number, oddAt: number, odd: SimulatedTask['answer']): SimulatedTask[] =>
  at(count, (index) => (index * 1_000) / 3).map((task, index) => (index === oddAt ? { ...task, answer: odd } : task));

/** So long somebody else, who has the same keys, has used up all that they may. */
const USED_UP_MS = 54_000;

const usedUp: Row = {
  name: 'fixed 10 / 60 s, told, used up at first',
  scenario: {
    limits: fixed(10, 60),
    keys: [8],
    latencyMs: 50,
    tasks: at(640),
    keyAnswer: (_, now) =>
      now < USED_UP_MS ? { status: 429, retryAfterMs: Math.ceil((USED_UP_MS - now) / 1_000) * 1_000 } : undefined,
  },
  idealSeconds: USED_UP_MS / 1_000 + 480,
  maxLimitedShare: TOLD,
};

const stray = (name: string, count: number, oddAt: number): Row => ({
  name,
  scenario: {
    limits: unlimited,
    keys: [4],
    latencyMs: 200,
    tasks: steadily(count, oddAt, (_, call) => (call === 0 ? { status: 429 } : undefined)),
  },
  idealSeconds: count / 3,
  maxLimitedShare: TOLD,
  maxMedianWaitMs: 2_000,
  extra: (result) => slowest(result, 2_000),
});

const tooLarge = (name: string, more: Partial<Scenario>): Row => ({
  name,
  scenario: { limits: unlimited, keys: [4], latencyMs: 200, tasks: steadily(120, 15, refusal(413)), ...more },
  idealSeconds: 40,
  maxLimitedShare: TOLD,
  isToBlame: ({ answer }) => answer !== undefined,
  maxMedianWaitMs: 2_000,
  extra: ({ tasks }) => {
    const large = tasks.find(({ task }) => task.answer !== undefined);
    return large?.outcome === 'failed' && large.calls <= 2
      ? undefined
      : `the large one: ${large?.outcome}, ${large?.calls} calls`;
  },
});

const MISHAPS: Row[] = [
  {
    name: 'fixed 10 / 10 s for each of two models, told',
    scenario: {
      limits: fixed(10, 10),
      keys: [8],
      latencyMs: 50,
      tasks: at(1_600).map((task, index) => ({ ...task, bucket: index % 2 === 0 ? 'large' : 'small' })),
    },
    idealSeconds: 100,
    maxLimitedShare: TOLD,
  },
  {
    name: 'fixed 10 / 10 s, two models on one key, told',
    scenario: {
      limits: fixed(10, 10),
      keys: [1],
      latencyMs: 50,
      tasks: at(800).map((task, index) => ({ ...task, bucket: index % 2 === 0 ? 'large' : 'small' })),
    },
    idealSeconds: 400,
    maxLimitedShare: TOLD,
  },
  revoked('two of twelve keys revoked, the first', 1),
  revoked('two of twelve keys revoked, in the middle', 6),
  usedUp,
  stray('one stray 429, silent', 120, 15),
  stray('one stray 429 after a minute and a half, silent', 360, 270),
  tooLarge('one request too large', {}),
  tooLarge('one request too large, one of two keys revoked', {
    keys: [2],
    keyAnswer: (key) => (key === 1 ? { status: 401 } : undefined),
  }),
  {
    name: '20 tasks refused for what they say, among 20',
    scenario: {
      limits: unlimited,
      keys: [4],
      latencyMs: 200,
      tasks: at(40).map((task, index) => (index % 2 === 0 ? { ...task, answer: refusal(403) } : task)),
    },
    maxLimitedShare: TOLD,
    isToBlame: ({ answer }) => answer !== undefined,
    maxMedianWaitMs: 2_000,
    extra: (result) => slowest(result, 10_000),
  },
  {
    name: '20 tasks refused, and one other a second',
    scenario: {
      limits: unlimited,
      keys: [4],
      latencyMs: 200,
      tasks: [...at(20, () => 0, { answer: refusal(403) }), ...at(150, (index) => 500 + index * 1_000)],
    },
    maxLimitedShare: TOLD,
    isToBlame: ({ answer }) => answer !== undefined,
    maxMedianWaitMs: 2_000,
    extra: (result) => blamed(result) ?? slowest(result, 10_000),
  },
  {
    name: 'one task refused, two shards of one key each',
    scenario: {
      limits: unlimited,
      keys: [1, 1],
      latencyMs: 200,
      tasks: steadily(120, 15, refusal(403)).map((task, index) => ({ ...task, shard: index % 2 })),
    },
    maxLimitedShare: TOLD,
    isToBlame: ({ answer }) => answer !== undefined,
    maxMedianWaitMs: 2_000,
    // With one key nobody knows whose fault it is: it is tried again, later and later.
    extra: ({ tasks }) => {
      const refused = tasks.find(({ task }) => task.answer !== undefined);
      return (refused?.deferrals ?? 0) <= 24 ? undefined : `the refused one: ${refused?.deferrals} deferrals`;
    },
  },
  {
    name: 'all keys unpaid for a minute',
    scenario: {
      limits: unlimited,
      keys: [4],
      latencyMs: 200,
      tasks: at(300),
      keyAnswer: (_, now) => (now < 60_000 ? { status: 402 } : undefined),
    },
    idealSeconds: 60,
    maxLimitedShare: TOLD,
  },
  {
    name: '16 keys on two shards, one batch of 100 on one',
    scenario: { limits: fixed(5, 5), keys: [8, 8], latencyMs: 50, tasks: at(100) },
    idealSeconds: 100 / 16,
    maxLimitedShare: UNTOLD,
    extra: ({ tasks }) => {
      const { size } = new Set(tasks.map(({ key }) => key));
      return size === 16 ? undefined : `${size} of 16 keys were used`;
    },
  },
  {
    name: '200 tasks told the same second, after 6,000',
    scenario: {
      limits: fixed(10, 2, { limitAt: (now) => (now < WAVE_AT ? Infinity : 10) }),
      keys: [4],
      latencyMs: 200,
      tasks: [...at(6_000, (index) => index * 20), ...at(200, () => WAVE_AT)],
    },
    idealSeconds: 200 / 20,
    idealFromMs: WAVE_AT,
    maxLimitedShare: TOLD,
    extra: wave,
  },
  {
    name: 'backlog of an hour, queue up to 5 s late',
    scenario: { limits: fixed(15, 60), keys: [8], latencyMs: 1_000, tasks: at(6_000), queueMs: 5_000 },
    idealSeconds: 3_000,
    maxLimitedShare: TOLD,
  },
];

/** A refused task fails, and not after calls without end. */
const MAX_REFUSED_CALLS = 12;

function blamed({ tasks }: Result): string | undefined {
  const refused = tasks.filter(({ task }) => task.answer !== undefined);
  const open = refused.filter(({ outcome }) => outcome !== 'failed').length;
  if (open > 0) return `${open} refused ones did not fail`;
  const calls = refused.reduce((sum, task) => sum + task.calls, 0) / refused.length;
  return calls <= MAX_REFUSED_CALLS ? undefined : `${calls.toFixed(1)} calls a refused one`;
}

function slowest({ tasks }: Result, maxMs: number): string | undefined {
  const waits = tasks
    .filter(({ outcome }) => outcome === 'succeeded')
    .map(({ startedAt = 0, task }) => startedAt - task.arrivesAt);
  const longest = Math.max(0, ...waits);
  return longest <= maxMs ? undefined : `one waited ${(longest / 1_000).toFixed(1)} s`;
}

export const ROWS: readonly Row[] = [...LIMITS, ...MISHAPS];
