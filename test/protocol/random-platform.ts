/**
 * What the platform does at its worst: answers that never come though what was asked happens later, or come after the
 * task's lease, objects that are moved with questions under way, machines that die, letters that come again or hours late,
 * clocks that differ. Each kind has chance of its own, so that the rest of a schedule is what its seed always made.
 *
 * Nothing says that a queue takes all of a batch or nothing (Queues, JavaScript APIs: once `sendBatch` resolves, all are
 * written), and it reports errors of batches that took a minute (github.com/cloudflare/workerd, issue 6053), so it may take a
 * part. A D1 `batch` is a transaction, and an object's writes between two awaits are one: these fail as a whole.
 */
import { HOUR_MS } from './clock.ts';
import { Dice } from './dice.ts';
import type { House } from './house.ts';
import { Machine } from './machine.ts';

/** What an object is asked; few tasks ask any, so a fault is more likely there. */
const OF_OBJECTS = [
  'keys.lease',
  'keys.release',
  'registry.route',
  'registry.report',
  'registry.give-up',
  'registry.end-task',
];

/** What changes something when it comes late. */
const CHANGES = [
  ...OF_OBJECTS,
  'queue.send',
  'bodies.put',
  'callback.report',
  'ledger.claim',
  'ledger.settle',
  ...['claim', 'record', 'accept', 'expire', 'tombstone', 'make-due', 'release', 'recover'].map(
    (write) => `db.${write}`,
  ),
];

/** With `… answer`: what was asked has happened by then. */
const SLOW = ['ledger.claim', 'ledger.settle', ...OF_OBJECTS];

/** `db.1.claim`, the claim in store 1, as `db.claim`. */
function inAnyStore(effect: string): string {
  return effect.replace(/^db\.\d+\./, 'db.');
}

export function strain(house: House, seed: number): void {
  const dice = new Dice(seed * 15_485_863);
  let left = dice.pick([0, 1, 2, 4]);
  const rate = dice.pick([0.03, 0.1, 0.3]);
  const drawn = house.faults.draw;
  house.faults.draw = (effect) => {
    const fault = drawn?.(effect);
    if (fault !== undefined || left === 0 || !CHANGES.includes(inAnyStore(effect))) return fault;
    const isOfObject = OF_OBJECTS.includes(effect);
    if (!dice.chance(isOfObject ? 2 * rate : rate)) return undefined;
    left -= 1;
    return isOfObject && dice.chance(0.4) ? 'reset' : 'late';
  };
  house.lateMs = () => (dice.chance(0.5) ? dice.between(10, 2_000) : dice.between(2_000, 90_000));
  delay(house, dice);
  house.overlapsSweeps = dice.chance(0.3);
  for (let count = dice.pick([0, 0, 1, 2]); count > 0; count--) {
    house.plan(house.clock.now + dice.between(0, 180_000), async () => house.killAll());
  }
  const again = dice.pick([0, 0, 0.1, 0.4]);
  house.post.comesAgain = () => (dice.chance(again) ? someTime(dice) : undefined);
  const late = dice.pick([0, 0, 0.1]);
  const { afterSend } = house.post;
  house.post.afterSend = async (letters) => {
    await afterSend?.(letters);
    for (const letter of letters) if (dice.chance(late)) letter.visibleAt += someTime(dice) * 1000;
  };
}

/** The most that the clock of a machine is wrong. */
const MAX_AHEAD_MS = 2_000;

/** Clocks of machines differ, and one of them is set right, or wrong, while things go on. */
export function differ(house: House, seed: number): void {
  const dice = new Dice(seed * 49_979_687);
  if (dice.chance(0.6)) return;
  house.promises.toleranceMs += 2 * MAX_AHEAD_MS;
  const callbacks = [new Machine(), new Machine()];
  house.callbackMachine = () => dice.pick(callbacks);
  const machines = [...callbacks, house.fleet.object.machine, ...house.keyPools.map(({ machine }) => machine)];
  const set = (machine: Machine) => {
    machine.aheadMs += dice.between(-MAX_AHEAD_MS, MAX_AHEAD_MS);
  };
  house.consumers.onStart = ({ machine }) => set(machine);
  for (const machine of [...machines, ...house.consumers.all.map((isolate) => isolate.machine)]) set(machine);
  const timersLateMs = dice.chance(0.5) ? () => dice.between(-5, 5) : () => dice.pick([0, 0, 0, 1_000]);
  for (const { machine } of house.consumers.all) machine.timersLateMs = timersLateMs;
  if (dice.chance(0.5)) return;
  house.plan(house.clock.now + dice.between(0, 180_000), async () => {
    dice.pick([...machines, house.consumers.of(0).machine]).aheadMs = dice.between(-MAX_AHEAD_MS, MAX_AHEAD_MS);
    house.note('a clock jumps');
  });
}

/** Of queues: what was said of a batch is lost, delays are, the order is, a batch is taken in part. Of objects: writes fail, alarms are late. */
export function unsettle(house: House, seed: number): void {
  const dice = new Dice(seed * 67_867_967);
  const { post, fleet, keyPools } = house;
  const sometimes = (most: number, probability: number) => {
    let left = dice.between(0, most);
    return () => left > 0 && dice.chance(probability) && left-- > 0;
  };
  if (dice.chance(0.4)) {
    post.forgets = sometimes(2, 0.3);
    post.isHasty = sometimes(3, 0.3);
    const isTornApart = sometimes(2, 0.5);
    post.takesPart = (letters) => (isTornApart() ? dice.between(0, letters - 1) : undefined);
    house.inOrder = (letters) => {
      const turns = new Map(letters.map((letter) => [letter, dice.next()]));
      return letters.toSorted((one, other) => (turns.get(one) ?? 0) - (turns.get(other) ?? 0));
    };
  }
  if (dice.chance(0.6)) return;
  const lateMs = dice.pick([0, 100, 30_000]);
  for (const disk of [fleet.object.disk, ...keyPools.map((pool) => pool.disk)]) {
    const fails = sometimes(2, 0.1);
    disk.fails = () => {
      const isFailing = fails();
      if (isFailing) house.noteReset('a write of an object fails');
      return isFailing;
    };
    disk.alarmLateMs = () => dice.between(0, lateMs);
  }
}

/** A few questions and answers between Workers take longer than a task's lease. */
function delay(house: House, dice: Dice): void {
  let left = dice.pick([0, 0, 1, 2]);
  const { latency } = house.faults;
  house.faults.latency = async (effect) => {
    await latency?.(effect);
    if (left === 0 || !SLOW.some((name) => effect.startsWith(name)) || !dice.chance(0.1)) return;
    left -= 1;
    house.note(`slow: ${effect}`);
    await house.clock.sleep(dice.between(20_000, 120_000));
  };
}

/** Moments, minutes, or hours. @returns seconds */
function someTime(dice: Dice): number {
  return dice.pick([0, dice.between(1, 120), dice.between(120, (6 * HOUR_MS) / 1000)]);
}
