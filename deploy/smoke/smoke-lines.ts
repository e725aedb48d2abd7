/** What a smoke test saw, for a person's eyes. */
import { errorStyle, pad } from '../../terminal/style.ts';
import { wrap } from '../../terminal/wrap.ts';
import type { SmokeCheck } from './smoke.ts';

export function smokeLines(checks: readonly SmokeCheck[]): string[] {
  return [
    ...checks.flatMap(({ what, isGood, seen }) => {
      const [first = '', ...more] = wrap(`${pad(what, 25)}${seen}`, 29, 76);
      return [`  ${isGood ? errorStyle.green('✓') : errorStyle.red('✗')} ${first}`, ...more];
    }),
    ...wrap('  The echo and its services are removed; the tasks, of subject smoke, go with their retention.', 2),
  ];
}
