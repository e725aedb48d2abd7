/**
 * What the platform does at its worst: answers that never come though what was asked happens later, or come after the
 * task's lease, objects that are moved with questions under way, machines that die, letters that come again or hours late.
 * Chance of its own, so that the rest of a schedule is what its seed always made.
 */
import { HOUR_MS } from './clock.ts';
import { Dice } from './dice.ts';
import type { House } from './house.ts';

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
  'ledger.claim',
  'ledger.settle',
  ...['claim', 'record', 'accept', 'expire', 'tombstone', 'make-due', 'release', 'recover'].map(
    (write) => `db.${write}`,
  ),
];

/** With `… answer`: what was asked has happened by then. */
const SLOW = ['ledger.claim', 'ledger.settle', ...OF_OBJECTS];

export function strain(house: House, seed: number): void {
  const dice = new Dice(seed * 15_485_863);
  let left = dice.pick([0, 1, 2, 4]);
  const rate = dice.pick([0.03, 0.1, 0.3]);
  const drawn = house.faults.draw;
  house.faults.draw = (effect) => {
    const fault = drawn?.(effect);
    if (fault !== undefined || left === 0 || !CHANGES.includes(effect)) return fault;
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
