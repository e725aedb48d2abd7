/**
 * A schedule that chance writes: a few tasks, a backend with moods, and a platform that kills,
 * delays, duplicates, loses and fails. The seed fixes all of it.
 */
import { type NewTask, newTaskMessage, type TaskMessage } from '../../shared/message/task-message.ts';
import { type Answer, accepted, type BackendCall, ConnectionError, ok, status } from './backend.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS } from './clock.ts';
import { Dice } from './dice.ts';
import { FAULTS } from './faults.ts';
import { House } from './house.ts';
import type { Letter } from './post.ts';
import { Bodies } from './random-bodies.ts';
import { Company } from './random-company.ts';
import { deploys, shrink } from './random-deploy.ts';
import { Oddities } from './random-odd.ts';
import { Operator } from './random-operator.ts';
import { differ, strain, unsettle } from './random-platform.ts';
import { mixReleases } from './random-releases.ts';
import { Spread } from './random-stores.ts';
import { comeToRest, withLog } from './rest.ts';

const SERVICES = ['bound', 'fetched', 'served', 'keyed'];

/** @throws an error that tells the seed, what broke and what happened */
export async function runSchedule(seed: number): Promise<House> {
  const house = await House.open(seed);
  try {
    const dice = new Dice(seed * 7919);
    house.watching = dice.chance(0.25);
    const aheadMs = dice.pick([0, 0, 0, 0, 5_000, -5_000]);
    house.promises.toleranceMs = Math.abs(aheadMs);
    for (const { machine } of house.consumers.all) machine.aheadMs = aheadMs;
    house.backend.fallback = moody(house, dice);
    misbehave(house, dice);
    const hooks = new Dice(seed * 104_729);
    for (let count = hooks.between(0, 4); count > 0; count--)
      house.receiver.answers.push(new Response(null, { status: 500 }));
    const bodies = new Bodies(house, seed);
    const spread = new Spread(house, seed);
    const company = new Company(house, seed, SERVICES);
    await company.gather();
    for (let count = dice.between(1, 4); count > 0; count--)
      await enter(house, dice, { company, spread, bodies, isTold: hooks.chance(0.25) });
    comeAndGo(house, dice);
    strain(house, seed);
    shrink(house, seed);
    deploys(house, seed);
    const operator = new Operator(house, seed, SERVICES);
    differ(house, seed);
    unsettle(house, seed);
    mixReleases(house, seed);
    const oddities = new Oddities(house, seed);
    await comeToRest(house, { batch: (letters) => split(letters, dice) });
    await withLog(house, async () => {
      await checkTold(house);
      await company.check();
      await operator.check();
      await bodies.check();
      if (!oddities.isUsed) checkRead(house);
    });
    return house;
  } catch (error) {
    throw new Error(`schedule ${seed}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  } finally {
    house.close();
  }
}

interface Surroundings {
  readonly company: Company;
  readonly spread: Spread;
  readonly bodies: Bodies;
  readonly isTold: boolean;
}

/** One task comes in, and is perhaps cancelled or retried at some time. */
async function enter(house: House, dice: Dice, { company, spread, bodies, isTold }: Surroundings): Promise<void> {
  const service = dice.pick(SERVICES);
  const minted = await house.mint({
    service,
    store: spread.next(),
    ...company.orderFor(service),
    maxAttempts: dice.between(1, 4),
    baseSeconds: dice.pick([0, 2, 30]),
    capSeconds: 600,
    deadlineMs: dice.pick([30_000, 5 * MINUTE_MS, HOUR_MS, DAY_MS]),
    ...(isTold && { onComplete: {} }),
  });
  const task = await bodies.placed(minted);
  const at = Math.max(house.clock.now + dice.between(0, 20_000), spread.earliest(task.id));
  house.plan(at, () => submit(house, dice, task));
  if (dice.chance(0.15)) house.plan(house.clock.now + dice.between(0, 120_000), () => house.cancel(task));
  for (let count = dice.between(0, 2); count > 0; count--) {
    house.plan(house.clock.now + dice.between(0, 2 * HOUR_MS), () => house.retry(task.id, dice.pick([60_000, DAY_MS])));
  }
}

async function submit(house: House, dice: Dice, task: NewTask): Promise<void> {
  // A task of a group is in it when its row is, and a payload in the bucket belongs to a row, so accept writes that first.
  if (dice.chance(0.3) && task.group === undefined && task.request.storedBody === undefined) {
    // The queue may be slow, so slow that the deadline passes, and the letter near its end.
    house.promises.accepted.set(task.id, task);
    const letter = house.post.put('tasks', newTaskMessage(task), dice.chance(0.2) ? dice.between(0, 600) : 0);
    if (dice.chance(0.1)) letter.attempts = dice.between(85, 100);
  } else {
    const answer = await house.accept(task, dice.chance(0.5));
    house.note(`accept ${task.id}: ${answer}`);
  }
  if (!dice.chance(0.1)) return;
  house.plan(house.clock.now + dice.between(0, 120_000), async () => house.post.put('dead', newTaskMessage(task)));
}

/** Servers of `served` are there, or come later, and go for a while; who comes wakes the parked tasks. */
function comeAndGo(house: House, dice: Dice): void {
  for (const name of ['one', 'two']) {
    const arrive = async () => {
      const id = house.fleet.join(name);
      for (const pauseMs of [0, 1_000, 15_000]) {
        house.plan(house.clock.now + pauseMs, () => house.release(dice.between(1, 3)));
      }
      if (dice.chance(0.6)) return;
      house.plan(house.clock.now + dice.between(0, 120_000), async () => {
        house.fleet.leave(id);
        house.plan(house.clock.now + dice.between(0, HOUR_MS), arrive);
      });
    };
    house.plan(house.clock.now + dice.pick([0, 0, dice.between(0, 600_000)]), arrive);
  }
  for (let count = dice.pick([0, 0, 1, 3]); count > 0; count--) {
    house.plan(house.clock.now + dice.between(0, 300_000), async () => {
      house.restartRegistry();
    });
    house.plan(house.clock.now + dice.between(0, 300_000), async () => house.restartKeyPool());
  }
  for (const object of ['registry', 'keys']) {
    if (!dice.chance(0.2)) continue;
    const at = house.clock.now + dice.between(0, 60_000);
    house.plan(at, async () => house.faults.always(object, 'down'));
    house.plan(at + dice.between(1_000, 600_000), async () => house.faults.mend(object));
  }
}

function moody(house: House, dice: Dice): Answer {
  const later = (ms: number, happen: () => Promise<unknown>) => house.plan(house.clock.now + ms, happen);
  const result = ({ run }: BackendCall) =>
    ({ type: 'application/json', encoding: 'json', text: JSON.stringify({ by: run }) }) as const;
  const succeed = (call: BackendCall) => () => house.report(call, { status: 'succeeded', result: result(call) });
  const fail = (call: BackendCall) => {
    const retryable = dice.chance(0.7);
    return () => house.report(call, { status: 'failed', message: 'not today', retryable });
  };
  const callBack: Answer = async (call) => {
    const say = dice.chance(0.7) ? succeed(call) : fail(call);
    if (dice.chance(0.2)) await say();
    else if (dice.chance(0.9)) later(dice.between(0, 400_000), say);
    if (dice.chance(0.3)) later(dice.between(0, 300_000), () => house.report(call, { status: 'running', percent: 5 }));
    if (dice.chance(0.2)) later(dice.between(0, 800_000), say);
    return accepted()(call);
  };
  const moods: readonly (readonly [number, () => Answer])[] = [
    [30, () => ok()],
    [25, () => callBack],
    [10, () => status(500)],
    [4, () => status(500, { 'retry-after': String(dice.between(0, 900)) })],
    [8, () => status(429, dice.chance(0.5) ? { 'retry-after': String(dice.between(0, 900)) } : {})],
    [3, () => status(503, { 'retry-after': '30' })],
    [2, () => status(400)],
    [3, () => status(401)],
    [5, () => house.backend.silent()],
    [8, () => house.backend.after(dice.between(1, 40_000), ok())],
    [5, () => () => Promise.reject(new ConnectionError('Network connection lost.'))],
  ];
  return (call) => {
    let roll = dice.next() * moods.reduce((sum, [weight]) => sum + weight, 0);
    for (const [weight, mood] of moods) {
      roll -= weight;
      if (roll < 0) return mood()(call);
    }
    return ok()(call);
  };
}

function misbehave(house: House, dice: Dice): void {
  let left = dice.between(0, 5);
  const rate = dice.pick([0.02, 0.05, 0.15]);
  house.faults.draw = () => {
    if (left === 0 || !dice.chance(rate)) return undefined;
    left -= 1;
    return dice.pick(FAULTS);
  };
  if (dice.chance(0.3)) {
    house.faults.latency = async () => {
      if (dice.chance(0.1)) await house.clock.sleep(dice.between(1, 25_000));
    };
  }
  if (dice.chance(0.2)) {
    const at = house.clock.now + dice.between(0, 60_000);
    house.plan(at, async () => house.faults.always('db', 'down'));
    house.plan(at + dice.between(1_000, 600_000), async () => house.faults.mend('db'));
  }
  const duplicates = dice.pick([0, 0.1, 0.5]);
  house.post.afterSend = async (letters) => {
    for (const letter of letters) {
      if (dice.chance(duplicates)) house.post.duplicate(letter, dice.between(0, 120));
    }
  };
  const losses = dice.pick([0, 0, 0.1]);
  // Only a wake-up may be lost: a task that no row knows is gone with its message.
  house.post.loses = ({ body }) => (body as TaskMessage).kind === 'wake' && dice.chance(losses);
}

/**
 * Rule R24: each end that is to be told has one message, the last of them says how the task stands, and all have come, but
 * those whose letter the platform lost (rule R9).
 */
async function checkTold(house: House): Promise<void> {
  const rows = await house.rows();
  const delivered = new Set(house.receiver.received.map(({ id }) => id));
  for (const { id, onComplete } of house.promises.accepted.values()) {
    const messages = rows.filter((row) => row.id.startsWith(`${id}_w`));
    if (onComplete === undefined && messages.length === 0) continue;
    const status = rows.find((row) => row.id === id)?.status;
    const names = messages.map((message) => message.id);
    if (names.join() !== messages.map((_, index) => `${id}_w${index + 1}`).join() || names.length === 0) {
      throw new Error(`${id} ended as ${status} and has the messages ${names.join(', ')}`);
    }
    const lost = names.filter((name) => house.post.lost.has(name));
    const last = house.receiver.received.find((each) => each.id === names.at(-1));
    if (!lost.includes(names.at(-1) ?? '') && last?.event.type !== `task.${status}`)
      throw new Error(`${id} is ${status}, and ${last?.event.type} was told`);
    for (const message of messages) {
      if (!delivered.has(message.id) && !lost.includes(message.id))
        throw new Error(`${message.id} is ${message.status} and never came`);
    }
  }
}

/** Nothing of this release or of the one before is left out because it cannot be read. */
function checkRead({ printed }: House): void {
  const line = printed.find((each) => /"event":"(?:element|message|task)\.unreadable"/.test(each));
  if (line !== undefined) throw new Error(`something could not be read: ${line}`);
}

/** One to three batches, in any order. */
function split(letters: readonly Letter[], dice: Dice): Letter[][] {
  const batches: Letter[][] = Array.from({ length: dice.between(1, 3) }, () => []);
  for (const letter of letters) dice.pick(batches).push(letter);
  return batches.filter((batch) => batch.length > 0);
}
