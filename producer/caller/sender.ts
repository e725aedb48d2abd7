/** Who sends a request, and whether the platform's counter has room for more from there. */
import { logError } from '../../shared/log.ts';

/** A counter that fails refuses nobody. */
export async function hasRoom(counter: RateLimit, key: string): Promise<boolean> {
  try {
    return (await counter.limit({ key })).success;
  } catch (error) {
    logError('rate-limit.failed', {}, error);
    return true;
  }
}

/** The address as the platform tells it; of IPv6 the network of a customer (/64), who has all its addresses. */
export function senderOf(request: Request): string {
  const address = request.headers.get('cf-connecting-ip') ?? 'local';
  if (!address.includes(':')) return address;
  const [head = '', tail = ''] = address.split('::');
  const groups = head === '' ? [] : head.split(':');
  const after = tail === '' ? [] : tail.split(':');
  while (address.includes('::') && groups.length + after.length < 8) groups.push('0');
  return [...groups, ...after].slice(0, 4).join(':');
}
