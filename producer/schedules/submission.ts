/** A schedule's submission as it lies in its row: JSON, whose payload stays as it was written. */
import { parseJson } from '../json/json-text.ts';

export function submissionOf(text: string): Record<string, unknown> {
  const parsed = parseJson(text, [['payload']]);
  return parsed.ok ? (parsed.value as Record<string, unknown>) : {};
}
