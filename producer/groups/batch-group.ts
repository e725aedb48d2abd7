/** The groups that a batch is for: one that all of its tasks join, or those that its tasks name themselves. */
import type { Context } from 'hono';
import type { z } from 'zod';
import type { Refusal } from '../answer/refusal.ts';
import type { AppEnv } from '../app.ts';
import { type BatchSubmissionSchema, GroupIdSchema } from '../schema/submission.ts';
import { bindHook } from '../submission/completion-hook.ts';
import { NOT_ACCEPTED } from '../submission/submission.ts';
import { callUpstream, UNAVAILABLE } from '../upstream/upstream.ts';
import { groupUrlOf, setHook } from './group.ts';
import { chooseStoreFor, type StoreFor } from './store-choice.ts';

export type EnteredGroups =
  | {
      readonly ok: true;
      /** By group; undefined: of the tasks that belong to none. */
      readonly stores: ReadonlyMap<string | undefined, StoreFor>;
      /** Of the batch as a whole. */
      readonly group: { readonly id: string; readonly closes: boolean } | undefined;
    }
  | { readonly ok: false; readonly refusal: Refusal };

/** The tasks are in the group, and the group may wait for more. */
export const NOT_CLOSED: Refusal = {
  code: 'unavailable',
  details: {
    detail:
      'The tasks were taken, and the group is not closed for certain: POST /api/groups/ID/close closes it. A repeat of the ' +
      'batch submits again what has no idempotency key.',
    retryAfterSeconds: 5,
  },
};

export async function enterGroups(
  c: Context<AppEnv>,
  subject: string,
  named: z.output<typeof BatchSubmissionSchema>['group'],
  submissions: readonly unknown[],
): Promise<EnteredGroups> {
  const { runtime } = c.env;
  const asked = typeof named === 'string' ? { id: named, keepOpen: false } : named;
  const bound = await bindHook(runtime, subject, asked?.onComplete, {
    field: '/group/onComplete/url',
    linkBase: groupUrlOf(runtime, ''),
  });
  if (!bound.ok) return bound;
  const stores = new Map<string | undefined, StoreFor>();
  for (const name of new Set(asked === undefined ? groupsIn(submissions) : [asked.id])) {
    stores.set(name, await chooseStoreFor(c, subject, name));
  }
  const first = stores.values().next().value;
  if (stores.size === 1 && first?.ok === false) return first;
  const { hook } = bound;
  if (asked !== undefined && hook !== undefined) {
    // Of a group that has ended nobody is told any more; its tasks will be refused.
    const set = await callUpstream('database', () => setHook(runtime, subject, asked.id, hook));
    if (set === UNAVAILABLE) return { ok: false, refusal: NOT_ACCEPTED };
  }
  return { ok: true, stores, group: asked && { id: asked.id, closes: !asked.keepOpen } };
}

/** As far as they are names: each item is checked by itself. */
function groupsIn(submissions: readonly unknown[]): (string | undefined)[] {
  return submissions.map((submission) => {
    const name = (submission as { group?: unknown } | null)?.group;
    return name === undefined ? undefined : GroupIdSchema.safeParse(name).data;
  });
}
