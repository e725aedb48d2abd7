/** Any JSON, in the spelling in which it was sent: the routes that read it say where it stands (`readsJson`). */
import { z } from '@hono/zod-openapi';
import { JsonText } from '../json/json-text.ts';

export function verbatimJson() {
  return z.unknown().transform((value) => (value instanceof JsonText ? value : new JsonText(JSON.stringify(value))));
}
