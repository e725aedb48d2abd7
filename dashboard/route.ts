/** The page in the address, after `#`: `#/tasks?status=failed`. */
import { useEffect, useState } from 'preact/hooks';
import { type Query, searchOf } from './operation.ts';
import type { PageName } from './pages.ts';

export interface PageAddress {
  /** Empty where the address names none. */
  readonly page: string;
  /** What follows the page: an id or a name. */
  readonly name: string | undefined;
  readonly query: URLSearchParams;
}

function placeOf(hash: string): PageAddress {
  const [path = '', query = ''] = hash.replace(/^#\/?/, '').split('?');
  const [page = '', ...name] = path.split('/');
  return {
    page,
    name: name.length === 0 ? undefined : decoded(name.join('/')),
    query: new URLSearchParams(query),
  };
}

/** An address that was typed may hold anything. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
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

export function link(page: PageName, name?: string, query?: Query): string {
  return `#/${page}${name === undefined ? '' : `/${encodeURIComponent(name)}`}${searchOf(query ?? {})}`;
}
