import { describe, expect, it } from 'vitest';
import { targetProblem } from '../../../shared/service/target.ts';

const problem = (url: string) => targetProblem(url, false);

describe('targetProblem', () => {
  it('lets public addresses pass', () => {
    for (const url of [
      'https://api.example.com',
      'https://api.example.com:8443/base/path',
      'https://8.8.8.8',
      'https://172.15.255.255',
      'https://172.32.0.1',
      'https://100.128.0.1',
      'https://223.255.255.255',
      'https://[2001:4860:4860::8888]',
      'https://[2606:4700::1111]/x',
      'https://localhost.example.com',
      'https://internal-api.example.com',
    ]) {
      expect(problem(url), url).toBeUndefined();
    }
  });

  it('refuses private and special IPv4 addresses', () => {
    for (const host of [
      '0.0.0.0',
      '10.0.0.1',
      '100.64.0.1',
      '127.0.0.1',
      '127.255.255.254',
      '169.254.169.254',
      '172.16.0.1',
      '172.31.255.255',
      '192.0.0.8',
      '192.168.1.1',
      '198.18.0.1',
      '198.19.255.255',
      '224.0.0.1',
      '240.0.0.1',
      '255.255.255.255',
    ]) {
      expect(problem(`https://${host}/x`), host).toMatch(/not a public address/);
    }
  });

  it('refuses them in every notation', () => {
    for (const host of [
      '0x7f.0.0.1',
      '0x7f000001',
      '0177.0.0.1',
      '017700000001',
      '2130706433',
      '127.1',
      '127.0.1',
      '0xa9fea9fe',
      '2852039166',
      '0xA9.0xFE.0xA9.0xFE',
      '127.0.0.1.',
      '%31%32%37.0.0.1',
      '１２７.0.0.1',
      '0',
    ]) {
      expect(problem(`https://${host}/`), host).toMatch(/not a public address/);
    }
  });

  it('refuses private, special and mapped IPv6 addresses', () => {
    for (const host of [
      '::',
      '::1',
      'fe80::1',
      'fc00::1',
      'fd12:3456::1',
      'ff02::1',
      '::ffff:127.0.0.1',
      '::ffff:10.0.0.1',
      '::ffff:8.8.8.8',
      '::ffff:7f00:1',
      '::127.0.0.1',
      '64:ff9b::7f00:1',
      '2001::1',
      '2001:1ff::1',
      '2002:7f00:1::',
      '0:0:0:0:0:ffff:7f00:0001',
    ]) {
      expect(problem(`https://[${host}]/`), host).toMatch(/not a public address/);
    }
  });

  it('refuses private names, with a dot at their end too', () => {
    for (const host of [
      'localhost',
      'LOCALHOST',
      'localhost.',
      'api.localhost',
      'api.localhost.',
      'intranet',
      'printer.local',
      'metadata.google.internal',
      'metadata.google.internal.',
      'router.home.arpa',
      'backend.test',
      'nothing.invalid',
    ]) {
      expect(problem(`https://${host}/`), host).toMatch(/private name/);
    }
  });

  it('wants https, and no credentials, query or fragment', () => {
    expect(problem('http://api.example.com')).toMatch(/https/);
    expect(problem('ftp://api.example.com')).toMatch(/https/);
    expect(problem('https://user:secret@api.example.com')).toMatch(/credentials/);
    expect(problem('https://user@api.example.com')).toMatch(/credentials/);
    expect(problem('https://api.example.com/?a=1')).toMatch(/query/);
    expect(problem('https://api.example.com/#a')).toMatch(/fragment/);
    expect(problem('api.example.com')).toBe('not a URL');
    expect(problem('')).toBe('not a URL');
  });

  it('never shows credentials', () => {
    expect(problem('https://user:hunter2@api.example.com')).not.toContain('hunter2');
  });

  it('in the local run private addresses and http are fine, the rest is not', () => {
    for (const url of [
      'http://localhost:9000',
      'http://127.0.0.1:9000/base',
      'http://[::1]:9000',
      'https://10.0.0.1',
    ]) {
      expect(targetProblem(url, true), url).toBeUndefined();
    }
    expect(targetProblem('http://user:x@localhost', true)).toMatch(/credentials/);
    expect(targetProblem('http://localhost/?a=1', true)).toMatch(/query/);
  });
});

describe('a base address', () => {
  it.each(['https://@api.example.com', 'https://:@api.example.com/x', 'https://u:p@api.example.com'])(
    'carries no credentials, not even empty ones: %s',
    (url) => {
      expect(targetProblem(url, true)).toMatch(/credentials/);
    },
  );

  it.each([
    ['https://api.example.com/a/../b', 'https://api.example.com/b'],
    ['https://api.example.com/%2e%2e/b', 'https://api.example.com/b'],
    ['https://api.example.com/é', 'https://api.example.com/%C3%A9'],
    ['https://api.example.com/a b', 'https://api.example.com/a%20b'],
    ['https://api.example.com\\b', 'https://api.example.com/b'],
    ['https:///api.example.com', 'https://api.example.com/'],
  ])('that would be rewritten is refused, with what to write: %s', (url, written) => {
    expect(targetProblem(url, true)).toContain(written);
  });

  it.each([
    'https://API.example.com',
    'https://api.example.com:443/x/',
    "https://api.example.com/it's/%C3%A9//x",
    'https://bücher.example/x',
  ])('stands as it is written: %s', (url) => {
    expect(targetProblem(url, true)).toBeUndefined();
  });
});
