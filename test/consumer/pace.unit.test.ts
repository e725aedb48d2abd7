import { describe, expect, it } from 'vitest';
import { Paces } from '../../consumer/call/pace.ts';

describe('whether services are quick', () => {
  it('has to be tried at first', () => {
    expect(new Paces().areQuick(['ocr'], 0)).toBeUndefined();
  });

  it('is known for a while, and longer when they are', () => {
    const paces = new Paces();
    paces.note(['ocr'], true, 0);
    expect(paces.areQuick(['ocr'], 9_999)).toBe(true);
    expect(paces.areQuick(['ocr'], 10_000)).toBeUndefined();
    paces.note(['ocr'], false, 20_000);
    expect(paces.areQuick(['ocr'], 21_999)).toBe(false);
    expect(paces.areQuick(['ocr'], 22_000)).toBeUndefined();
  });

  it('is decided by the slowest of several, and has to be tried while one is not known', () => {
    const paces = new Paces();
    paces.note(['ocr', 'thumbnails'], true, 0);
    expect(paces.areQuick(['ocr', 'thumbnails'], 1)).toBe(true);
    expect(paces.areQuick(['ocr', 'mail'], 1)).toBeUndefined();
    paces.note(['thumbnails'], false, 1);
    expect(paces.areQuick(['ocr', 'thumbnails', 'mail'], 2)).toBe(false);
  });

  it('says nothing against no services', () => {
    expect(new Paces().areQuick([], 0)).toBe(true);
  });
});
