import { describe, expect, it } from 'vitest';
import { EndWatch } from '../../../producer/watch/end-watch.ts';

function watching(...ids: string[]): EndWatch {
  const watch = new EndWatch();
  for (const id of ids) watch.join(id);
  return watch;
}

describe('the watch for the ends of tasks', () => {
  it('has one ask for all whose look comes within a moment', () => {
    const watch = watching('a', 'b', 'c');
    watch.plan('a', 1_000);
    watch.plan('b', 1_080);
    watch.plan('c', 2_000);
    expect(watch.look('a', 1_000)).toBe('due');
    expect(watch.takeDue('a', 1_000)).toEqual(['a', 'b']);
    expect(watch.look('b', 1_010)).toBe('asked');
    watch.note(['a', 'b'], new Set(['b']));
    expect(watch.look('a', 1_020)).toBe('open');
    expect(watch.look('b', 1_080)).toBe('ended');
    expect(watch.look('a', 1_200)).toBe('due');
  });

  it('lets another ask when who asked has gone away', () => {
    const watch = watching('a', 'b');
    watch.plan('a', 1_000);
    watch.plan('b', 1_000);
    watch.takeDue('a', 1_000);
    watch.leave('a');
    expect(watch.look('b', 1_500)).toBe('asked');
    expect(watch.look('b', 2_001)).toBe('due');
    expect(watch.takeDue('b', 2_001)).toEqual(['b']);
  });

  it('forgets a task when the last who waits for it has left', () => {
    const watch = watching('a', 'a');
    watch.takeDue('a', 1_000);
    watch.note(['a'], new Set(['a']));
    watch.leave('a');
    expect(watch.look('a', 2_000)).toBe('ended');
    watch.leave('a');
    expect(watch.look('a', 2_000)).toBe('due');
  });
});
