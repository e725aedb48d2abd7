/**
 * A flow: tasks that share a key of their submitter's choice, and limits of their own. Its calls take places as those of a
 * service do, at an object that looks after the flow alone (`callback/flows/flows.ts`). Pure.
 */
import * as z from 'zod';
import { bucketOf } from '../capacity/line.ts';
import { flowSchema } from '../task/flow-limits.ts';

/** Objects among which flows are spread: each takes about 1,000 questions a second (Durable Objects limits). */
export const FLOW_SHARDS = 16;

const FLOW_KEY_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
export const FlowKeySchema = z
  .string()
  .regex(FLOW_KEY_PATTERN, 'a flow key is up to 64 letters, digits, dots, dashes or underscores');

export const FlowSchema = flowSchema(FlowKeySchema);
export type FlowOfTask = z.output<typeof FlowSchema>;

/** Keys of submitters do not meet. No service can have such a name, and its line has it too. */
export function flowName(subject: string, key: string): string {
  return `flow:${bucketOf(subject)}/${key}`;
}

/** What the names of a subject's flows begin with; of everybody's without one. */
export function flowPrefix(subject?: string): string {
  return subject === undefined ? 'flow:' : flowName(subject, '');
}

/** @returns undefined for what is no flow's name; a subject that is long or odd is shortened in it */
export function flowOfName(name: string): { readonly subject: string; readonly key: string } | undefined {
  if (!isFlowName(name)) return undefined;
  const end = name.lastIndexOf('/');
  return { subject: name.slice('flow:'.length, end), key: name.slice(end + 1) };
}

export function isFlowName(name: string): boolean {
  return name.startsWith('flow:') && FLOW_KEY_PATTERN.test(name.slice(name.lastIndexOf('/') + 1));
}

/** Whose matter the flow is. */
export function shardOfFlow(name: string): number {
  let sum = 0;
  for (let at = 0; at < name.length; at++) sum = (Math.imul(sum, 31) + name.charCodeAt(at)) >>> 0;
  return sum % FLOW_SHARDS;
}
