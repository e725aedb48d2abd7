/**
 * `GET /dashboard`: the page from which Tasklane is watched and operated. Everything that it loads comes from
 * this origin, and its policy allows nothing else, neither scripts nor styles within the page. It holds no
 * right of its own: what it shows and does goes through the API, with the token of whoever signed in.
 */
import style from '../../dashboard/dist/main.css.txt';
import script from '../../dashboard/dist/main.js.txt';
import type { App } from '../app.ts';

const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Tasklane</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/dashboard/main.css">
</head>
<body>
<div id="app"></div>
<noscript>The dashboard needs JavaScript; the API at /docs does not.</noscript>
<script src="/dashboard/main.js"></script>
</body>
</html>
`;

export function addDashboard(app: App): void {
  app.get('/dashboard', () =>
    answerFile(PAGE, 'text/html', { 'content-security-policy': POLICY, 'referrer-policy': 'no-referrer' }),
  );
  app.get('/dashboard/main.js', () => answerFile(script, 'text/javascript'));
  app.get('/dashboard/main.css', () => answerFile(style, 'text/css'));
}

/** Asked for anew each time: the page and its files are of one release. */
function answerFile(body: string, type: string, headers: Readonly<Record<string, string>> = {}): Response {
  return new Response(body, {
    headers: {
      'content-type': `${type}; charset=utf-8`,
      'cache-control': 'no-cache',
      'x-content-type-options': 'nosniff',
      ...headers,
    },
  });
}
