import { describe, expect, it } from 'vitest';
import { LaunchError } from '../../terminal/launch-error.ts';
import { parseOptions } from '../../terminal/options.ts';

const read = (...args: string[]) =>
  parseOptions({ args, options: { shards: { type: 'string' }, 'no-demo': { type: 'boolean', default: false } } })
    .values;

describe('options of a command', () => {
  it('are read as parseArgs reads them', () => {
    expect(read('--shards', '8')).toEqual({ shards: '8', 'no-demo': false });
  });

  it.each([
    ['--shard=8', 'there is no option --shard; did you mean --shards?'],
    ['--no-dmeo', 'there is no option --no-dmeo; did you mean --no-demo?'],
    ['--verbose', 'there is no option --verbose'],
  ])('that are not known are told which one %s is close to', (option, reason) => {
    expect(() => read(option)).toThrow(new LaunchError(reason));
  });

  it('that lack their value say so', () => {
    expect(() => read('--shards')).toThrow("'--shards <value>' argument missing");
  });
});
