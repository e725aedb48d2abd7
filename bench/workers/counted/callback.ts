/**
 * The callback Worker whose statistics can be switched, in the same isolate and the same compiled code: off, on, or on with a
 * write after every settle, however short a while after the last.
 */
import callback from '../../../callback/index.ts';
import { Statistics } from '../../../callback/statistics.ts';
import type { Tally } from '../../../shared/statistics/tally.ts';

export { CallbackRpc, Ledger, RegistryRpc, ServerRegistry } from '../../../callback/index.ts';

const LONG_AFTER_MS = 3600_000;

let mode = 'on';
const { noteClaims, noteMoves, noteDurations, takeDue } = Statistics.prototype;
Object.assign(Statistics.prototype, {
  noteClaims(this: Statistics, ...of: Parameters<typeof noteClaims>): void {
    if (mode !== 'off') noteClaims.apply(this, of);
  },
  noteMoves(this: Statistics, ...of: Parameters<typeof noteMoves>): void {
    if (mode !== 'off') noteMoves.apply(this, of);
  },
  noteDurations(this: Statistics, ...of: Parameters<typeof noteDurations>): void {
    if (mode !== 'off') noteDurations.apply(this, of);
  },
  takeDue(this: Statistics, now: number): Tally[] {
    if (mode === 'off') return [];
    return takeDue.call(this, mode === 'writing' ? now + LONG_AFTER_MS : now);
  },
});

export default {
  ...callback,
  fetch: (request: Request) => {
    mode = new URL(request.url).pathname.slice(1);
    return new Response();
  },
};
