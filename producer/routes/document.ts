/** `GET /openapi.json`: the API document, generated from the schemas that check the requests. */
import { answerJsonText } from '../answer.ts';
import { apiDocument } from '../document.ts';
import type { Door } from '../door.ts';

export function addDocument(door: Door): void {
  let text: string | undefined;
  door.get('/openapi.json', () => {
    text ??= JSON.stringify(apiDocument(door));
    return answerJsonText(text, 200, { 'cache-control': 'public, max-age=300' });
  });
}
