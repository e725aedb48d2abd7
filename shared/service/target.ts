/**
 * Which addresses a backend may have. Private, loopback, link-local and reserved addresses are
 * refused, unless the local run allows them, so that a task cannot be aimed at a network that only
 * the Worker's side can reach. A name that resolves to such an address is the resolver's business:
 * Workers on Cloudflare have no route into private networks.
 */

const PRIVATE_NAME = /(?:^|\.)(?:localhost|local|internal|home\.arpa|test|invalid)$/;

/** First octets and prefix lengths of the IPv4 ranges that are not public (IANA special-purpose registry). */
const PRIVATE_IPV4: readonly (readonly [network: number, prefix: number])[] = [
  [ipv4(0, 0, 0, 0), 8],
  [ipv4(10, 0, 0, 0), 8],
  [ipv4(100, 64, 0, 0), 10],
  [ipv4(127, 0, 0, 0), 8],
  [ipv4(169, 254, 0, 0), 16],
  [ipv4(172, 16, 0, 0), 12],
  [ipv4(192, 0, 0, 0), 24],
  [ipv4(192, 168, 0, 0), 16],
  [ipv4(198, 18, 0, 0), 15],
  [ipv4(224, 0, 0, 0), 3],
];

/** What is wrong with `url` as a target, or undefined when it may be called. */
export function targetProblem(url: string, allowPrivate: boolean): string | undefined {
  const parsed = URL.parse(url);
  if (parsed === null) return 'not a URL';
  // Empty ones are none to the parser.
  if (/^[^/]*\/\/[^/]*@/.test(url)) return 'put credentials into headers, not into the URL';
  // A lone `?` or `#` is no search and no hash to the parser, and yet the path would be put behind it.
  if (/[?#]/.test(url)) return 'a base URL has no query and no fragment';
  // A request's path is put behind it as it is, and both reach the backend byte for byte.
  const path = /^[^/]*\/\/[^/\\]*(.*)$/s.exec(url.trim())?.[1] ?? '';
  if (path !== '' && path !== parsed.pathname) return `would be rewritten on its way; write it as ${parsed.href}`;
  if (allowPrivate) return undefined;
  if (parsed.protocol !== 'https:') return 'a target outside the local run is https';
  // URL.parse writes every notation of an address (hex, octal, one number) as plain dotted or bracketed.
  const host = parsed.hostname.replace(/\.$/, '');
  if (PRIVATE_NAME.test(host) || !/[.\]]/.test(host)) return `${host} is a private name`;
  if (host.startsWith('[')) return isPublicIpv6(host) ? undefined : `${host} is not a public address`;
  const address = /^\d+\.\d+\.\d+\.\d+$/.test(host)
    ? ipv4(...(host.split('.').map(Number) as [number, number, number, number]))
    : undefined;
  if (address !== undefined && isPrivateIpv4(address)) return `${host} is not a public address`;
  return undefined;
}

function ipv4(a: number, b: number, c: number, d: number): number {
  return ((a * 256 + b) * 256 + c) * 256 + d;
}

function isPrivateIpv4(address: number): boolean {
  return PRIVATE_IPV4.some(
    ([network, prefix]) => Math.floor(address / 2 ** (32 - prefix)) === Math.floor(network / 2 ** (32 - prefix)),
  );
}

/** Global unicast is 2000::/3; of it, 2001::/23 (protocol assignments) and 2002::/16 (6to4) are refused. */
function isPublicIpv6(host: string): boolean {
  const groups = host.slice(1, -1).split(':');
  const first = Number.parseInt(groups[0] || '0', 16);
  const second = Number.parseInt(groups[1] || '0', 16);
  if (first < 0x2000 || first > 0x3fff) return false;
  return first !== 0x2002 && !(first === 0x2001 && second < 0x200);
}
