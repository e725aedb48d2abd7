/**
 * `GET /docs`: the API document as a page from which requests can be sent. Everything it loads comes
 * from this origin, and its policy allows nothing else. A token typed in stays in the page's memory.
 */

import style from 'swagger-ui-dist/swagger-ui.css';
import script from 'swagger-ui-dist/swagger-ui-bundle.js';
import type { App } from '../app.ts';
import { DOCS_SCRIPT, DOCS_STYLE } from '../document/docs-page.ts';

const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  // Swagger UI sets style attributes.
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** Changes with the files, so that they may be cached for a year. */
const VERSION = [script, style, DOCS_SCRIPT, DOCS_STYLE].map((text) => text.length.toString(36)).join('-');

const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Tasklane API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/docs/swagger-ui.css?v=${VERSION}">
<link rel="stylesheet" href="/docs/start.css?v=${VERSION}">
</head>
<body>
<div id="swagger-ui"></div>
<script src="/docs/swagger-ui.js?v=${VERSION}"></script>
<script src="/docs/start.js?v=${VERSION}"></script>
</body>
</html>
`;

export function addDocs(app: App): void {
  app.get('/', () => new Response(null, { status: 302, headers: { location: '/docs' } }));
  app.get('/docs', () =>
    text(PAGE, 'text/html', {
      'content-security-policy': POLICY,
      'cache-control': 'no-cache',
      'referrer-policy': 'no-referrer',
    }),
  );
  app.get('/docs/swagger-ui.js', () => asset(script, 'text/javascript'));
  app.get('/docs/swagger-ui.css', () => asset(style, 'text/css'));
  app.get('/docs/start.js', () => asset(DOCS_SCRIPT, 'text/javascript'));
  app.get('/docs/start.css', () => asset(DOCS_STYLE, 'text/css'));
}

function asset(body: string, type: string): Response {
  return text(body, type, { 'cache-control': 'public, max-age=31536000, immutable' });
}

function text(body: string, type: string, headers: Readonly<Record<string, string>>): Response {
  return new Response(body, {
    headers: { 'content-type': `${type}; charset=utf-8`, 'x-content-type-options': 'nosniff', ...headers },
  });
}
