import { describe, expect, it } from 'vitest';
import {
  actText,
  bytes,
  count,
  counted,
  duration,
  percent,
  quantity,
  rate,
  relative,
  underWay,
  waitingFor,
} from '../../dashboard/words.ts';
import { ACTS } from '../../producer/access.ts';
import { ALERT_KINDS, ALERT_UNITS } from '../../producer/schema/alert-kinds.ts';
import { DEFERRAL_REASONS } from '../../shared/task/state.ts';

describe('a number on the screen', () => {
  it('has a unit, and no more digits than a person reads', () => {
    expect([0, 350, 4_200, 9_949, 9_951, 119_000, 7_000_000, 90_000_000, 5 * 86_400_000].map(duration)).toEqual([
      '0 ms',
      '350 ms',
      '4.2 s',
      '9.9 s',
      '10 s',
      '119 s',
      '117 min',
      '25 h',
      '5 d',
    ]);
    expect([512, 1_400_000, 10_000_000_000].map(bytes)).toEqual(['512 B', '1.4 MB', '10 GB']);
    expect([9_999, 12_345].map(count)).toEqual(['9,999', '12.3K']);
    expect([0, 0.001, 1 / 60, 0.4, 3, 12_345].map(rate)).toEqual([
      '0 / s',
      '3.6 / h',
      '1 / min',
      '0.4 / s',
      '3 / s',
      '12.3K / s',
    ]);
    expect(rate(1 / 7200)).toBe('0.5 / h');
    expect([0, 0.034, 0.5, 0.9999999, 1].map(percent)).toEqual(['0 %', '3.4 %', '50 %', '99.99 %', '100 %']);
  });

  it('goes with its noun', () => {
    expect([0, 1, 2_000].map((value) => counted(value, 'task'))).toEqual(['0 tasks', '1 task', '2,000 tasks']);
    expect([0, 1, 3].map(underWay)).toEqual([
      'No call is under way',
      'The call under way ends',
      'The 3 calls under way end',
    ]);
  });
});

it('says a time relative to now', () => {
  expect([0, 400, -7_200_000, 180_000].map((away) => relative(1_000_000 + away, 1_000_000))).toEqual([
    'now',
    'now',
    '2 h ago',
    'in 3 min',
  ]);
});

it('has words for every reason of a wait and every act, and says one of another release as it is', () => {
  for (const reason of DEFERRAL_REASONS) expect(waitingFor(reason)).toMatch(/^(?:for|until|in) /);
  expect(waitingFor('moon-phase')).toBe('for moon phase');
  for (const act of ACTS) expect(actText(act), act).not.toContain(':');
  expect(actText('key.polish')).toBe('key: polish');
});

it('says of one what it says of many, in the unit of each alert', () => {
  expect(ALERT_KINDS.map((kind) => quantity(1, ALERT_UNITS[kind]))).toEqual([
    '1 task',
    '1 task',
    '1 percent of the tasks that ended',
    '1 percent of the keys of a pool',
    '1 key of a pool',
    '1 circuit of a service',
    '1 address',
    '1 message in two hours',
    '1 percent',
    '1 minute',
    '1 part',
  ]);
  expect(quantity(2, 'addresses')).toBe('2 addresses');
});
