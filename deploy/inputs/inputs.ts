/**
 * What a deploy is given: secrets and API keys, from single variables or from one JSON object such as
 * GitHub's `toJSON(secrets)`. Pure. No message here holds a value.
 */
import { parseEnv } from 'node:util';
import * as z from 'zod';
import { SecretSchema } from '../../shared/env.ts';
import { keyNameOf } from '../../shared/key/name.ts';
import { keyProblems } from '../../shared/key/review.ts';
import { PlanError } from '../plan/plan.ts';
import { SecretValues } from './secret-values.ts';

/** Many secrets at once, a JSON object by name; variables of the same names win. */
const JSON_VARIABLE = 'TASKLANE_SECRETS';

/** Many keys in one secret, a line each (`KEY1=…`), for places that hold only so many secrets. */
const LINES_VARIABLE = 'TASKLANE_KEYS';

const JsonSchema = z.record(z.string(), z.string());

/** Secrets that tokens and ids are signed with, and that can be made. */
export const SIGNING = /^(?:JWT|ID|CALLBACK|WEBHOOK)_SECRET(?:_PREVIOUS)?$/;

export interface Inputs {
  readonly values: SecretValues;
  /** Set to nothing: to be removed from the account. */
  readonly emptied: ReadonlySet<string>;
  /** Variables that hold API keys, in no order. */
  readonly keys: readonly string[];
}

/**
 * @param wanted names of secrets beside the API keys; everything else in the environment is left alone
 * @throws PlanError for keys that are given twice or cannot be keys, secrets that are too weak, and JSON that is none
 */
export function readInputs(
  environment: Readonly<Record<string, string | undefined>>,
  wanted: readonly string[],
): Inputs {
  const isWanted = (name: string) => keyNameOf(name) !== undefined || wanted.includes(name);
  const json = readJson(environment[JSON_VARIABLE]);
  const lines = parseEnv(environment[LINES_VARIABLE] ?? json[LINES_VARIABLE] ?? '');
  const all = { ...lines, ...json, ...environment };
  const entries = Object.entries(all).flatMap(([name, value]): [string, string][] =>
    value !== undefined && isWanted(name) ? [[name, value.trim()]] : [],
  );
  const values = new SecretValues(entries.filter(([, value]) => value !== ''));
  const keys = values.names.filter((name) => keyNameOf(name) !== undefined);
  checkKeys(values, keys);
  return { values, keys, emptied: new Set(entries.flatMap(([name, value]) => (value === '' ? [name] : []))) };
}

/** @throws PlanError for a secret that is too short to sign with */
export function checkStrength(values: SecretValues, names: readonly string[]): void {
  for (const name of names) {
    if (!values.has(name)) continue;
    const parsed = SecretSchema.safeParse(values.get(name));
    if (!parsed.success) throw new PlanError(`${name} ${parsed.error.issues[0]?.message}`);
  }
}

function readJson(text: string | undefined): Record<string, string> {
  if (text === undefined || text.trim() === '') return {};
  try {
    return JsonSchema.parse(JSON.parse(text));
  } catch {
    // The parser's own message would quote what it stumbled over.
    throw new PlanError(`${JSON_VARIABLE} is not a JSON object of strings; in GitHub write \${{ toJSON(secrets) }}`);
  }
}

function checkKeys(values: SecretValues, keys: readonly string[]): void {
  const [problem] = keyProblems(keys, (name) => values.get(name));
  if (problem !== undefined) throw new PlanError(problem);
}
