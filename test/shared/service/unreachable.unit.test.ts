import { describe, expect, it } from 'vitest';
import {
  isUnreachableStatus,
  isUnsentByProxy,
  saysUnsent,
  wasNotDelivered,
} from '../../../shared/service/unreachable.ts';

describe('a status of a proxy before the backend', () => {
  it.each([
    [520, true, false],
    [521, true, true],
    [522, true, false],
    [523, true, true],
    [524, false, false],
    [525, true, true],
    [526, true, true],
    [527, true, false],
    [530, true, true],
    [500, false, false],
    [502, false, false],
    [504, false, false],
    [529, false, false],
    [200, false, false],
  ])('%i: nobody was reached %s, and nothing can have been read %s', (status, isUnreachable, isUnread) => {
    expect([isUnreachableStatus(status), wasNotDelivered(status)]).toEqual([isUnreachable, isUnread]);
  });
});

describe('what a call threw', () => {
  it.each([
    // Workers VPC, by RFC 9209.
    ['Error: connection_refused', true],
    ['ProxyError: dns_error', true],
    ['TypeError: destination_unavailable: the tunnel is down', true],
    ['Error: connection_timeout', true],
    ['Error: tls_certificate_error', true],
    ['Error: connection_terminated', false],
    ['Error: connection_read_timeout', false],
    ['Error: http_response_incomplete', false],
    // workerd.
    ['Error: connect(): Connection refused', true],
    ['Error: DNS lookup failed.; params.host = nowhere.invalid', true],
    ['Error: connect(): No route to host', true],
    // Of a refused connection, and of one that was reset after the request was read.
    ['Error: Network connection lost.', false],
    ['Error: internal error; reference = r63n2q85lh4uf0v2qqm4m5do', false],
    ['TypeError: Fetch API cannot load: ftp://x', false],
  ])('%s: no connection was made %s', (message, isUnsent) => {
    expect(saysUnsent(message)).toBe(isUnsent);
  });
});

describe('Proxy-Status', () => {
  it.each([
    [502, 'edge.example; error=connection_refused', true],
    [504, 'edge.example;error="dns_timeout"; details="x"', true],
    [503, 'origin.example, edge.example; error=destination_ip_unroutable', true],
    // What the proxy behind it met is not about this one.
    [502, 'inner.example; error=connection_refused, edge.example; received-status=502', false],
    [502, 'edge.example; error=connection_terminated', false],
    [200, 'edge.example; error=connection_refused', false],
    [502, '', false],
    [502, null, false],
  ])('of a %i: %j: nothing was sent %s', (status, value, isUnsent) => {
    expect(isUnsentByProxy(status, value)).toBe(isUnsent);
  });
});
