import { describe, expect, it } from 'vitest';
import type { ImportEdge } from '../../checks/boundary.ts';
import { importCircles } from '../../checks/circle.ts';

const edge = (from: string, to: string): ImportEdge => ({ from, to, kind: 'file', line: 1 });

describe('importCircles', () => {
  it('finds none where imports point one way', () => {
    expect(importCircles([edge('a', 'b'), edge('b', 'c'), edge('a', 'c')])).toEqual([]);
  });

  it('names every file of a circle once, and none that only leads to it or out of it', () => {
    const edges = [edge('to', 'a'), edge('a', 'b'), edge('b', 'c'), edge('c', 'a'), edge('b', 'out')];
    expect(importCircles(edges)).toEqual([['a', 'b', 'c']]);
  });

  it('tells two circles apart', () => {
    const edges = [edge('a', 'b'), edge('b', 'a'), edge('b', 'x'), edge('x', 'y'), edge('y', 'x')];
    expect(importCircles(edges)).toEqual([
      ['a', 'b'],
      ['x', 'y'],
    ]);
  });

  it('takes a package for no file', () => {
    expect(importCircles([{ from: 'a', to: 'a', kind: 'package', line: 1 }])).toEqual([]);
  });
});
