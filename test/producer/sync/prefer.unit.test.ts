import { describe, expect, it } from 'vitest';
import { preferenceOf } from '../../../producer/sync/prefer.ts';

describe('the header Prefer', () => {
  it('is read as RFC 7240 writes it', () => {
    expect(preferenceOf('respond-async')).toEqual({ respondAsync: true, waitSeconds: undefined });
    expect(preferenceOf('respond-async, wait=5')).toEqual({ respondAsync: true, waitSeconds: 5 });
    expect(preferenceOf('Wait=10,Respond-Async')).toEqual({ respondAsync: true, waitSeconds: 10 });
    expect(preferenceOf('handling=lenient; x=1, respond-async; foo=bar, wait="3"')).toEqual({
      respondAsync: true,
      waitSeconds: 3,
    });
  });

  it('is ignored where it says something else', () => {
    for (const header of [null, '', 'return=minimal', 'no-respond-async', 'respond-asynchronously']) {
      expect(preferenceOf(header), String(header)).toEqual({ respondAsync: false, waitSeconds: undefined });
    }
    for (const wait of ['wait', 'wait=', 'wait=-1', 'wait=soon', 'wait=1.5']) {
      expect(preferenceOf(wait).waitSeconds, wait).toBeUndefined();
    }
  });

  it('holds no connection for longer than a minute', () => {
    expect(preferenceOf('wait=86400').waitSeconds).toBe(60);
  });
});
