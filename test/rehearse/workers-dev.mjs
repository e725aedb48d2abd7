/** Loaded before a command: requests to `*.workers.dev` go to a server of the test, which the internet does not know. */
const { fetch } = globalThis;
const server = process.env.WORKERS_DEV;

globalThis.fetch = (target, init = {}) => {
  const url = new URL(target);
  if (server === undefined || !url.hostname.endsWith('.workers.dev')) return fetch(target, init);
  return fetch(`${server}${url.pathname}${url.search}`, {
    ...init,
    headers: { ...init.headers, 'x-workers-dev': url.hostname },
  });
};
