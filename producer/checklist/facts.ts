/** What a deployment knows of itself for its checklist; undefined where nobody answers. */
import { reportSecret } from '../../shared/auth/secret-strength.ts';
import { readScanPosition, SWEPT_NAME } from '../../shared/store/carrier.ts';
import { readSetting } from '../../shared/store/settings.ts';
import { readAlertSettings, readAlertState } from '../alerts/evaluate.ts';
import type { Runtime } from '../runtime.ts';
import { describeStores, warningsOf } from '../statistics/stores.ts';
import { callUpstream, UNAVAILABLE } from '../upstream/upstream.ts';
import type { DeploymentFacts, Note, NotedItem } from './checklist.ts';

export const NOTES_NAME = 'checklist';

export type Notes = Partial<Record<NotedItem, Note>>;

export async function readNotes(
  control: D1Database,
): Promise<{ notes: Notes; read: Awaited<ReturnType<typeof readSetting>> }> {
  const read = await readSetting(control, NOTES_NAME);
  return { notes: read === undefined ? {} : (JSON.parse(read.value) as Notes), read };
}

export async function factsOf(runtime: Runtime, now: number): Promise<DeploymentFacts> {
  const { config } = runtime;
  const { control } = config.stores;
  const [callback, own, alerts, swept, stores, notes, bodies] = await Promise.all([
    known(callUpstream('callback', () => config.callback.reportSecrets())),
    Promise.all(ownSecrets(config).map(([name, secret]) => reportSecret(name, secret))),
    known(callUpstream('database', () => Promise.all([readAlertState(control), readAlertSettings(control)]))),
    known(callUpstream('database', () => readScanPosition(control, SWEPT_NAME))),
    describeStores(runtime, now),
    known(callUpstream('database', () => readNotes(control))),
    bucketState(config.bodies),
  ]);
  return {
    secrets: callback && [...own, ...callback.secrets],
    previousSecrets: [...previousOf(config), ...(callback?.previous ?? [])],
    publicUrl: config.publicUrl,
    allowsPrivateTargets: config.allowsPrivateTargets,
    plainServices: Object.entries(runtime.services.all).flatMap(([name, { baseUrl }]) =>
      baseUrl?.startsWith('http:') ? [name] : [],
    ),
    corsOrigins: [...config.corsOrigins],
    limits: {
      REQUESTS_BY_ADDRESS: config.requestsByAddress !== undefined,
      REQUESTS_BY_TOKEN: config.requestsByToken !== undefined,
      WRONG_TOKENS: config.wrongTokens !== undefined,
    },
    alerts: alerts && {
      hasReceiver: alerts[1].settings.url !== null,
      testedAt: alerts[1].settings.testedAt,
      evaluatedAt: alerts[0].state?.evaluatedAt,
    },
    sweptAt: swept === '' ? 'none' : swept === undefined ? undefined : Number(swept),
    storeWarnings: warningsOf(stores),
    bodies,
    notes: notes?.notes,
  };
}

async function bucketState(bucket: R2Bucket | undefined): Promise<DeploymentFacts['bodies']> {
  if (bucket === undefined) return 'none';
  const answer = await callUpstream('bucket', () => bucket.head(NO_BODY));
  return answer === UNAVAILABLE ? 'away' : 'answers';
}

/** No body has this name; that there is none is an answer. */
const NO_BODY = 'checklist';

type Config = Runtime['config'];

function ownSecrets({ jwtSecrets, idSecret, webhookSecrets }: Config): (readonly [string, string])[] {
  return [
    ['JWT_SECRET', jwtSecrets[0]],
    ['ID_SECRET', idSecret],
    ['WEBHOOK_SECRET', webhookSecrets[0]],
  ].flatMap(([name, secret]) => (name === undefined || secret === undefined ? [] : [[name, secret] as const]));
}

function previousOf({ jwtSecrets, previousIdSecret, webhookSecrets }: Config): string[] {
  return [
    ...(jwtSecrets.length > 1 ? ['JWT_SECRET_PREVIOUS'] : []),
    ...(previousIdSecret === undefined ? [] : ['ID_SECRET_PREVIOUS']),
    ...(webhookSecrets.length > 1 ? ['WEBHOOK_SECRET_PREVIOUS'] : []),
  ];
}

async function known<Value>(answer: Promise<Value | typeof UNAVAILABLE>): Promise<Value | undefined> {
  const value = await answer;
  return value === UNAVAILABLE ? undefined : value;
}
