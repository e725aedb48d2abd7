import { describe, expect, it } from 'vitest';
import { isNotForClients, isOfOneHop } from '../../../shared/service/request-headers.ts';

describe('a header that is not a client’s to bring', () => {
  it.each([
    'Accept-Encoding',
    'TE',
    'Upgrade',
    'Forwarded',
    'Via',
    'X-Forwarded-For',
    'X-Real-IP',
    'X-Real-Port',
    'X-ProxyUser-Ip',
    'WL-Proxy-Client-IP',
    'Ali-CDN-Real-IP',
    'X-Appengine-User-Ip',
    'X-Host',
    'X-SSL-Client-Cert',
    'Client-Cert',
    'Client-Cert-Chain',
    'Early-Data',
    'X-Amzn-Oidc-Data',
  ])('is %s, in any case, and as a gateway reads it', (name) => {
    for (const written of [name, name.toUpperCase(), name.replaceAll('-', '_'), name.replaceAll('-', '.')]) {
      expect([written, isNotForClients(written)]).toEqual([written, true]);
    }
  });

  it.each(['Connection', 'transfer_encoding', 'Proxy_Authorization', 'Keep.Alive'])('nor is %s, of one hop', (name) => {
    expect(isOfOneHop(name)).toBe(true);
  });

  it.each([
    'Accept',
    'X-User-Id',
    'X-Client-Version',
    'X-Request-Id',
    'User-Agent',
    'X-Amzn-Trace-Id',
    'Range',
    'Origin',
    'constructor',
    '__proto__',
    'X-Server-Name',
    'OpenAI-Organization',
  ])('is not %s', (name) => {
    expect(isNotForClients(name)).toBe(false);
  });
});
