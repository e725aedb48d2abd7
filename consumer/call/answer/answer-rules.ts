/** Which of the rules fits an answer. Pure. */

import { valueAtPointer } from '../../../shared/json-pointer.ts';
import { parsedJson } from '../../../shared/json-text.ts';
import type { AnswerRule } from '../../../shared/task/answer-rule.ts';
import type { Content } from '../../../shared/task/content.ts';

interface Said {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Content | undefined;
}

/** What the first fitting rule says the answer means; undefined when none fits. */
export function meaningOf(rules: readonly AnswerRule[], answer: Said): AnswerRule['meaning'] | undefined {
  if (rules.length === 0) return undefined;
  let json: { readonly value: unknown } | undefined;
  const body = () => {
    json ??= { value: jsonIn(answer.body) };
    return json.value;
  };
  return rules.find((rule) => fits(rule, answer, body))?.meaning;
}

function fits({ status, header, body }: AnswerRule, answer: Said, json: () => unknown): boolean {
  if (status !== undefined && ![status].flat().some((each) => isStatus(each, answer.status))) return false;
  if (header !== undefined) {
    const value = answer.headers.get(header.name)?.trim();
    if (value === undefined) return false;
    if (header.equals !== undefined && value.toLowerCase() !== header.equals.trim().toLowerCase()) return false;
  }
  return body === undefined || bodyFits(body, json());
}

function isStatus(expected: number | string, status: number): boolean {
  return typeof expected === 'number' ? expected === status : Number(expected[0]) === Math.floor(status / 100);
}

function bodyFits({ pointer, equals, contains }: NonNullable<AnswerRule['body']>, json: unknown): boolean {
  const value = valueAtPointer(json, pointer);
  if (value === undefined) return false;
  if (equals !== undefined && value !== equals) return false;
  return contains === undefined || (typeof value === 'string' && value.includes(contains));
}

function jsonIn(body: Content | undefined): unknown {
  return body?.encoding === 'json' ? parsedJson(body.text) : undefined;
}
