/**
 * Two releases at once: consumers that run side by side with memories of their own, and deploys that change what they are told.
 * Isolates of the release before finish their batches and take others for a while (Workers, gradual deployments); an object goes
 * on with its own for up to five minutes (Durable Objects, code updates). Chance of its own, so that the rest of a schedule is
 * what its seed always made.
 */
import { type Services, servicesSchema } from '../../shared/service/definition.ts';
import { HOUR_MS, MINUTE_MS } from './clock.ts';
import type { Release } from './consumers.ts';
import { Dice } from './dice.ts';
import type { House } from './house.ts';
import { followShards } from './removal.ts';

const [FIRST, SECOND, THIRD] = ['sk-first-0123456789', 'sk-second-0123456789', 'sk-third-0123456789'] as const;

/** What a deploy may make of the keys: one less or more, other numbers, another shard for one of them or for all. */
const KEYS: readonly Release['keys'][] = [
  [{ KEY1: FIRST }],
  [{ KEY1: FIRST, KEY2: SECOND, KEY3: THIRD }],
  [{ KEY1: SECOND, KEY2: FIRST }],
  [{ KEY2: FIRST, KEY3: SECOND }],
  [{ KEY1: FIRST }, { KEY2: SECOND }],
  [{}, { KEY1: FIRST, KEY2: SECOND }],
];

const OF_ONE_SHARD = KEYS.filter((shards) => shards.length === 1);
const OF_TWO_SHARDS = KEYS.filter((shards) => shards.length > 1);

/** Two shards from the start, one of which is taken away while its queue holds messages. */
export function shrink(house: House, seed: number): void {
  const dice = new Dice(seed * 122_949_823);
  if (dice.chance(0.85)) return;
  house.consumers.release = { ...house.consumers.release, keys: dice.pick(OF_TWO_SHARDS) };
  house.consumers.start(1);
  const at = house.clock.now + dice.pick([dice.between(0, 30_000), dice.between(0, 10 * MINUTE_MS)]);
  deploy(house, dice, at, { keys: dice.pick(OF_ONE_SHARD) });
  comeIn(house, dice, at, dice.pick([0, 0, 2]));
}

export function deploys(house: House, seed: number): void {
  const dice = new Dice(seed * 32_452_843);
  for (let count = dice.pick([0, 0, 1, 2]); count > 0; count--) house.consumers.start();
  house.consumers.choose = (isolates) => dice.pick(isolates);
  if (dice.chance(0.5)) return;
  const before = house.consumers.release;
  const at = house.clock.now + dice.between(0, 120_000);
  deploy(house, dice, at, {
    services: changed(before.services, dice),
    ...(dice.chance(0.7) && { keys: dice.pick(KEYS) }),
  });
  // Many calls are under way.
  comeIn(house, dice, at, dice.pick([0, 0, 3, 6]));
  if (dice.chance(0.3)) deploy(house, dice, at + dice.between(1_000, 10 * MINUTE_MS), { services: before.services });
}

/** Tasks come about `at`. */
function comeIn(house: House, dice: Dice, at: number, count: number): void {
  for (let left = count; left > 0; left--) {
    const service = dice.pick(['keyed', 'keyed', 'fetched', 'served']);
    const queue = house.consumers.serves(1) ? dice.pick(['tasks', 'tasks-1'] as const) : 'tasks';
    const submit = () =>
      house.submit({ service, maxAttempts: 4, deadlineMs: dice.pick([5 * MINUTE_MS, HOUR_MS]) }, queue);
    house.plan(at + dice.between(-5_000, 5_000), submit);
  }
}

function deploy(house: House, dice: Dice, at: number, change: Partial<Release>): void {
  house.plan(at, async () => {
    house.note(`deploy ${JSON.stringify({ keys: change.keys })}`);
    house.consumers.deploy(change);
    if (change.keys !== undefined) followShards(house);
  });
  house.plan(at + dice.between(0, 15 * MINUTE_MS), async () => house.consumers.retire());
  house.plan(at + dice.between(0, 5 * MINUTE_MS), async () => house.restartRegistry());
  for (const shard of [0, 1]) house.plan(at + dice.between(0, 5 * MINUTE_MS), async () => house.restartKeyPool(shard));
}

/** Limits come, change and go. */
function changed(services: Services, dice: Dice): Services {
  const limits = () => ({
    ...(dice.chance(0.5) && { maxConcurrency: dice.between(1, 3) }),
    ...(dice.chance(0.3) && { requestsPerSecond: dice.pick([0.1, 1]) }),
  });
  return servicesSchema(true).parse({
    ...services,
    fetched: { ...services.fetched, ...limits() },
    served: { ...services.served, ...limits() },
    keyed: {
      ...services.keyed,
      ...(dice.chance(0.5) && {
        keyLimits: { concurrency: dice.between(1, 2), requestsPerMinute: dice.pick([2, 60]) },
      }),
    },
  });
}
