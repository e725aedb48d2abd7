/** What would make a backlog end sooner: the arithmetic is the API's, the times are relative like all others. */
import type { Advice } from '../../producer/schema/statistics.ts';
import { counted } from '../words.ts';
import { PageLink } from './page-link.tsx';
import { Time } from './time.tsx';

export function AdviceText({ advice }: { advice: Advice }) {
  if (advice.kind === 'keys') {
    const { pool, moreKeys, soonerAt, emptyAt } = advice;
    return (
      <p class="notice">
        With {counted(moreKeys, 'more key')} in <PageLink page="keys">pool {pool}</PageLink> the backlog ends{' '}
        <Time at={soonerAt} /> instead of <Time at={emptyAt} />. docs/keys.md says how to add keys.
      </p>
    );
  }
  const { service, needed, servers } = advice;
  return (
    <p class="notice">
      <PageLink page="service" name={service}>
        {service}
      </PageLink>
      : {counted(needed, 'server')} would do; there {servers === 1 ? 'is 1' : `are ${servers}`}. Start more agents, or
      give those that are there more calls at a time.
    </p>
  );
}
