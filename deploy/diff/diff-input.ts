/** What a diff compares: the plan, the account, and which secrets are given. */
import type { Account } from '../account/account.ts';
import type { Desired, DesiredWorker } from '../desired.ts';

export interface DiffInput {
  readonly desired: Desired;
  readonly account: Account;
  /** Names of the secrets that are given. */
  readonly provided: ReadonlySet<string>;
  /** Names that are set to nothing: to be removed. */
  readonly emptied: ReadonlySet<string>;
  /** No key is given: those that the account has stay. */
  readonly keepsKeys: boolean;
  /** What an upload of this Worker would be tagged with. */
  readonly releaseOf: (worker: DesiredWorker) => string;
}
