import { describe, expect, it } from 'vitest';
import { ASSUMED_PER_SECOND, JOB_ID_PATTERN, jobId, planStarts, redrivePerSecond } from '../../../shared/job/job.ts';

const NOW = 1_780_000_000_000;

describe('a plan of starts', () => {
  it('keeps each service to its pace and ends at the first start beyond the horizon', () => {
    const until = new Map<string, number>();
    const services = ['slow', 'quick', 'slow', 'quick', 'slow', 'quick'];
    const starts = planStarts(
      services,
      new Map([
        ['slow', 1],
        ['quick', 10],
      ]),
      until,
      NOW,
      2_000,
    );
    expect(starts).toEqual([NOW, NOW, NOW + 1_000, NOW + 100]);
    expect(until.get('slow')).toBe(NOW + 2_000);
    // The last one's wake-up comes at the whole second, and the next keeps its distance from that.
    expect(until.get('quick')).toBe(NOW + 1_100);
  });

  it('goes on where the starts that were given away before end, whoever gave them', () => {
    const until = new Map([['ocr', NOW + 900]]);
    expect(planStarts(['ocr', 'ocr'], new Map([['ocr', 10]]), until, NOW, 1_000)).toEqual([NOW + 900]);
    expect(planStarts(['ocr'], new Map([['ocr', 10]]), until, NOW, 1_000)).toEqual([]);
    expect(planStarts(['ocr'], new Map([['ocr', 10]]), until, NOW + 5_000, 1_000)).toEqual([NOW + 5_000]);
  });
});

describe('the pace of a redrive', () => {
  it('is half of what the service bears, or less where that was asked for, or what was asked for where nothing is known', () => {
    const known = { perSecond: 20, isKnown: true };
    expect(redrivePerSecond(known, undefined)).toBe(10);
    expect(redrivePerSecond(known, 7)).toBe(7);
    expect(redrivePerSecond(known, 20)).toBe(10);
    expect(redrivePerSecond({ perSecond: 3.9, isKnown: true }, undefined)).toBe(1.5);
    expect(redrivePerSecond({ perSecond: 0.5, isKnown: true }, undefined)).toBe(0.25);
    expect(redrivePerSecond({ perSecond: ASSUMED_PER_SECOND, isKnown: false }, 500)).toBe(500);
  });
});

it('ids of jobs sort by time', () => {
  const ids = [NOW, NOW + 1, 2 * NOW].map((at) => jobId(at, 'deadbeef'));
  expect([...ids].sort()).toEqual(ids);
  for (const id of ids) expect(id).toMatch(JOB_ID_PATTERN);
});
