/** The page in the address, after `#`: `#/tasks?status=failed`. */
import { useEffect, useState } from 'preact/hooks';

export interface PageAddress {
  readonly page: string;
  /** What follows the page: an id or a name. */
  readonly name: string | undefined;
  readonly query: URLSearchParams;
}

function placeOf(hash: string): PageAddress {
  const [path = '', query = ''] = hash.replace(/^#\/?/, '').split('?');
  const [page = '', ...name] = path.split('/');
  return {
    page: page === '' ? 'overview' : page,
    name: name.length === 0 ? undefined : decodeURIComponent(name.join('/')),
    query: new URLSearchParams(query),
  };
}

export function usePlace(): PageAddress {
  const [place, setPlace] = useState(() => placeOf(location.hash));
  useEffect(() => {
    const follow = () => setPlace(placeOf(location.hash));
    addEventListener('hashchange', follow);
    // The address may have changed before anybody listened.
    follow();
    return () => removeEventListener('hashchange', follow);
  }, []);
  return place;
}

export function link(page: string, name?: string, query?: Readonly<Record<string, string | undefined>>): string {
  const pairs = Object.entries(query ?? {}).filter((pair): pair is [string, string] => Boolean(pair[1]));
  const suffix = pairs.length === 0 ? '' : `?${new URLSearchParams(pairs)}`;
  return `#/${page}${name === undefined ? '' : `/${encodeURIComponent(name)}`}${suffix}`;
}
