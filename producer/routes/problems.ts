/** `GET /docs/problems/:code`: the page that a problem's `type` leads to. */

import { refuse } from '../answer/answer.ts';
import type { App } from '../app.ts';
import { problemPage } from '../document/problem-pages.ts';

export function addProblems(app: App): void {
  app.get('/docs/problems/:code', (c) => {
    const page = problemPage(c.req.param('code'));
    if (page === undefined) return refuse('not-found', { detail: 'There is no problem of this name.' });
    return new Response(page, {
      headers: {
        'content-type': 'text/html; charset=utf-8',
        'content-security-policy': "default-src 'none'; img-src data:; base-uri 'none'; frame-ancestors 'none'",
        'cache-control': 'public, max-age=3600',
        'x-content-type-options': 'nosniff',
      },
    });
  });
}
