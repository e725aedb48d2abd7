/** How a command reaches the account: from the environment, in the variables that wrangler reads too. */
import { CloudflareApi } from '../account/api.ts';
import { DeployError } from '../deploy-error.ts';

const API = 'https://api.cloudflare.com/client/v4';

const ACCOUNT_ID = /^[0-9a-f]{32}$/;

/** Nothing was said about an account: a plan can still be shown for an empty one. */
export function hasAccess(environment: NodeJS.ProcessEnv): boolean {
  return Boolean(environment.CLOUDFLARE_ACCOUNT_ID || environment.CLOUDFLARE_API_TOKEN);
}

/** @throws DeployError naming the variable that is missing */
export function openAccount(environment: NodeJS.ProcessEnv, signal: AbortSignal, say: (line: string) => void) {
  const { CLOUDFLARE_ACCOUNT_ID: accountId, CLOUDFLARE_API_TOKEN: token } = environment;
  if (!token) {
    throw new DeployError(
      'CLOUDFLARE_API_TOKEN is not set; make one (docs/operating.md says with which permissions), or try ' +
        'npm run deploy -- --rehearse, which needs no account',
    );
  }
  if (!accountId || !ACCOUNT_ID.test(accountId)) {
    throw new DeployError(
      'CLOUDFLARE_ACCOUNT_ID is the account’s id: 32 hexadecimal digits, on the dashboard’s Workers page',
    );
  }
  const baseUrl = (environment.CLOUDFLARE_API_BASE_URL || API).replace(/\/+$/, '');
  return new CloudflareApi({ baseUrl, accountId, token, signal, onPause: (line) => say(`      ${line}`) });
}
