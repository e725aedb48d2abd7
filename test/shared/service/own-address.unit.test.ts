import { describe, expect, it } from 'vitest';
import { isOwnAddress } from '../../../shared/service/own-address.ts';

describe("a deployment's own address", () => {
  it.each([
    ['https://tasks.example.com', 'https://tasks.example.com/api/service/ocr'],
    ['https://tasks.example.com', 'https://TASKS.example.com./x'],
    ['https://tasks.example.com', 'https://tasks.example.com:8443/'],
    ['http://localhost:8787', 'http://127.0.0.1:8787'],
    ['http://127.0.0.1:8787', 'http://[::1]:8787/api'],
    ['http://localhost:8787', 'http://0.0.0.0:8787'],
    ['http://localhost:8787', 'http://[::ffff:127.0.0.1]:8787'],
    ['http://localhost:8787', 'http://[::ffff:7f12:3]:8787'],
    ['http://localhost:8787', 'http://[::127.0.0.1]:8787'],
    ['http://localhost:8787', 'http://2130706433:8787'],
    ['http://localhost:8787', 'http://ⓛocalhost:8787'],
  ])('of %s is %s', (own, url) => {
    expect(isOwnAddress(url, own)).toBe(true);
  });

  it.each([
    ['https://tasks.example.com', 'https://ocr.example.com'],
    ['http://localhost:8787', 'http://localhost:9000'],
    ['http://localhost:8787', 'http://127.0.0.1:9000'],
    ['http://localhost:8787', 'http://[::ffff:10.0.0.1]:8787'],
    [undefined, 'https://ocr.example.com'],
    ['https://tasks.example.com', 'not a URL'],
  ])('of %s is not %s', (own, url) => {
    expect(isOwnAddress(url, own)).toBe(false);
  });
});
