/** A way to another page, for whoever sees that page; for others the same words. */
import type { ComponentChildren } from 'preact';
import { useTools } from '../live.ts';
import type { Query } from '../operation.ts';
import { type PageName, seesPage } from '../pages.ts';
import { link } from '../route.ts';

interface PageLinkProps {
  readonly page: PageName;
  readonly name?: string | undefined;
  readonly query?: Query;
  readonly children: ComponentChildren;
}

export function PageLink({ page, name, query, children }: PageLinkProps) {
  const { session } = useTools();
  return seesPage(page, session) ? <a href={link(page, name, query)}>{children}</a> : children;
}
