/** `GET /openapi.json`: the API document, generated from the schemas that check the requests. */
import { answerJsonText } from '../answer/answer.ts';
import type { App } from '../app.ts';
import { apiDocument } from '../document/document.ts';

export function addDocument(app: App): void {
  let text: string | undefined;
  app.get('/openapi.json', () => {
    text ??= JSON.stringify(apiDocument(app));
    return answerJsonText(text, 200, { 'cache-control': 'public, max-age=300' });
  });
}
