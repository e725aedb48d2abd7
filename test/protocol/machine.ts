/**
 * Clocks that differ: what runs on a machine sees the world's time and so many milliseconds more. Each isolate and each object is
 * a machine; what it asks others for happens in the world's time, or on theirs.
 */
import { AsyncLocalStorage } from 'node:async_hooks';

const running = new AsyncLocalStorage<Machine | undefined>();

export class Machine {
  /** How far its clock is ahead. */
  aheadMs = 0;
  /** How much later than it was set for a timer rings, or sooner. */
  timersLateMs = () => 0;

  run<Value>(work: () => Value): Value {
    return running.run(this, work);
  }
}

/** Beyond the machine: queues, backends, whoever looks at the world. */
export function inTheWorld<Value>(work: () => Value): Value {
  return running.run(undefined, work);
}

/** Puts the machines' clocks over the one that is in force. */
export function differingClocks(): void {
  const { setTimeout, Date: WorldDate } = globalThis;
  const now = () => WorldDate.now() + (running.getStore()?.aheadMs ?? 0);
  globalThis.Date = new Proxy(WorldDate, {
    construct: (date, parts, target) => Reflect.construct(date, parts.length === 0 ? [now()] : parts, target),
    get: (date, name) => (name === 'now' ? now : Reflect.get(date, name)),
  });
  // A timer rings on the machine that set it.
  globalThis.setTimeout = new Proxy(setTimeout, {
    apply: (set, self, [ring, ms = 0, ...more]) => {
      const lateMs = running.getStore()?.timersLateMs() ?? 0;
      return Reflect.apply(set, self, [AsyncLocalStorage.bind(ring), Math.max(0, ms + lateMs), ...more]);
    },
  });
}
