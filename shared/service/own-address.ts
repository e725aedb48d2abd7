/**
 * Whether an address is this deployment's own: a service or server there would call itself, and each call
 * cause the next. Pure.
 */

/** `[::ffff:7f00:1]` is 127.0.0.1 as an address of IPv6, and `[::7f00:1]` as it was once written. */
const LOOPBACK =
  /^(?:localhost|.*\.localhost|127(?:\.\d+){3}|\[::1\]|0\.0\.0\.0|\[::(?:ffff:)?7f[0-9a-f]{2}:[0-9a-f]+\]|\[::(?:ffff:0:0)?\])$/;

/** @param publicUrl of the deployment; undefined when it is not known */
export function isOwnAddress(url: string, publicUrl: string | undefined): boolean {
  const target = URL.parse(url);
  const own = publicUrl === undefined ? null : URL.parse(publicUrl);
  if (target === null || own === null) return false;
  const host = target.hostname.replace(/\.$/, '');
  if (host === own.hostname) return portOf(target) === portOf(own) || !LOOPBACK.test(host);
  // One machine has many names for itself.
  return LOOPBACK.test(host) && LOOPBACK.test(own.hostname) && portOf(target) === portOf(own);
}

export const OWN_ADDRESS_PROBLEM = 'is the address of this deployment itself, which would call itself in a circle';

function portOf({ port, protocol }: URL): string {
  return port || (protocol === 'https:' ? '443' : '80');
}
