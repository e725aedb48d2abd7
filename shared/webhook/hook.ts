/**
 * A completion webhook: whom the end of a task, or of a group, is told to. A client gives the address, the ends that it wants
 * to hear of and the format; the row keeps what the message needs beside it (`BoundHook`), so that the database
 * can write the message in the statement that ends the task (`migrations/schema/tasklane.sql`).
 *
 * Messages of a hook are tasks of a service of its own, so that a hook can be paused alone: `webhook:HOST:HASH`, of its
 * owner and its address without the query. No service that anybody defines can have such a name.
 */
import * as z from 'zod';
import { toHex } from '../crypto/hex.ts';
import { isOwnAddress, OWN_ADDRESS_PROBLEM } from '../service/own-address.ts';
import { targetProblem } from '../service/target.ts';
import { WEBHOOK_FORMATS } from '../task/request.ts';
import { TERMINAL_STATUSES } from '../task/status.ts';

const MAX_URL_CHARS = 2_000;

export const HookSchema = z.strictObject({
  /** Where the message is posted to. */
  url: z
    .url({ protocol: /^https?$/, error: 'is a web address such as https://hooks.example.com/tasks' })
    .max(MAX_URL_CHARS),
  /** The ends that are told; all of them unless said otherwise. Of a group: when a task of it ended so. */
  on: z
    .array(z.enum(TERMINAL_STATUSES))
    .min(1)
    .max(TERMINAL_STATUSES.length)
    .default([...TERMINAL_STATUSES]),
  format: z.enum(WEBHOOK_FORMATS).default('standard'),
});
export type Hook = z.output<typeof HookSchema>;

/** As a row and a message keep it. */
export const BoundHookSchema = HookSchema.extend({
  /** Whose tasks its messages are. */
  service: z.string(),
  /** Path and query of `url`. */
  path: z.string(),
  /** What the id of the task, or of the group, is put behind, for the link in the message. */
  linkBase: z.string(),
});
export type BoundHook = z.output<typeof BoundHookSchema>;

/** @param linkBase what the id of the task or group is put behind */
export async function boundHook(hook: Hook, owner: string, linkBase: string): Promise<BoundHook> {
  const { pathname, search } = new URL(hook.url);
  return { ...hook, service: await hookService(hook.url, owner), path: pathname + search, linkBase };
}

const HASH_BYTES = 8;
const WEBHOOK_SERVICE_PATTERN = /^webhook:[a-z0-9.:[\]-]{1,260}:[0-9a-f]{16}$/;

/** The name of the service whose tasks are the messages to an owner's address. */
export async function hookService(url: string, owner: string): Promise<string> {
  const { host, origin, pathname } = new URL(url);
  const named = new TextEncoder().encode(`${owner}\n${origin}${pathname}`);
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', named));
  return `webhook:${host}:${toHex(hash.subarray(0, HASH_BYTES))}`;
}

export function isHookService(name: string): boolean {
  return WEBHOOK_SERVICE_PATTERN.test(name);
}

/** What is wrong with the address of a hook, or undefined: the rules of services' targets hold for it too. */
export function hookUrlProblem(url: string, allowsPrivate: boolean, publicUrl: string | undefined): string | undefined {
  const { hash, href, origin, username, password } = new URL(url);
  if (hash !== '' || href.endsWith('#')) return 'has a fragment, which is not sent; leave it out';
  if (username !== '' || password !== '') return 'holds credentials; messages are signed instead';
  if (isOwnAddress(url, publicUrl)) return OWN_ADDRESS_PROBLEM;
  return targetProblem(origin, allowsPrivate);
}
