/** What is written behind an option, checked. */
import { DeployError } from '../deploy-error.ts';

/** With the deployment's name before it and a Worker's behind it, a label of a host name: 63 characters. */
const PREVIEW = /^[a-z0-9](?:[a-z0-9-]{0,28}[a-z0-9])?$/;

/** What the databases of further stores have behind the deployment's name. */
const STORE = /^store-\d+$/;

/** @throws DeployError */
export function readPreview(text: string | undefined): string | undefined {
  if (text !== undefined && STORE.test(text)) {
    throw new DeployError(`--preview ${text} would have the name of a store's database; choose another`);
  }
  if (text === undefined || PREVIEW.test(text)) return text;
  throw new DeployError('--preview is a name of small letters, digits and dashes, 30 at most, such as pr-7');
}

/** @throws DeployError */
export function wholeNumber(option: string, text: string, min: number, max: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= min && value <= max) return value;
  throw new DeployError(`${option} is a whole number from ${min} to ${max}`);
}
