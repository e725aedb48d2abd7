import { expect, it } from 'vitest';
import { terminalLine } from '../../local/terminal-line.ts';

it('shows the first line of an error, and nothing of what is none', () => {
  expect(terminalLine({ level: 'error', text: 'it broke\nstack: a' })).toBe('it broke');
  expect(terminalLine({ level: 'log', text: 'it broke' })).toBeUndefined();
});

it('leaves to the task what the runtime says of an unknown host', () => {
  const why = 'failed to lookup address information: Name or service not known';
  const text = `e = rust/worker/ffi.rs:110: failed: ${why}\nstack: workerd@26b6840`;
  expect(terminalLine({ level: 'error', text })).toBeUndefined();
  expect(terminalLine({ level: 'error', text: `the registry: ${why}` })).toContain('the registry');
});
