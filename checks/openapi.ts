/**
 * Checks the API document that clients get: the built producer is asked for it, so what is checked is what
 * is served. Two validators that know nothing of each other read it (the rules of the first are in
 * redocly.yaml; it runs without network and telemetry), and a client is made from it.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Validator } from '@seriousme/openapi-schema-validator';
import { convertV4MiniflareOptions, Miniflare, NoOpLog, Response } from 'miniflare';
import { buildBundle } from '../deploy/build/bundle.ts';
import { ROOT, readPlan } from '../deploy/plan/plan-files.ts';
import { workerOptions } from '../local/worker-options.ts';
import { reasonOf } from '../terminal/launch-error.ts';
import { clientFault } from './api-client.ts';

const DOCUMENT = path.join(ROOT, '.wrangler', 'openapi.json');

async function servedDocument(): Promise<string> {
  const plan = readPlan({ shards: 1 });
  const modules = await buildBundle(plan.producer);
  // The document needs no secret and no other Worker; this one refuses to serve without its own.
  const secrets = Object.fromEntries(plan.producer.secrets.required.map((name) => [name, crypto.randomUUID()]));
  const options = workerOptions(plan.producer, modules, secrets);
  const nobody = () => new Response(undefined, { status: 503 });
  options.serviceBindings = Object.fromEntries(plan.producer.services.map(({ binding }) => [binding, nobody]));
  const runtime = new Miniflare(
    convertV4MiniflareOptions({ workers: [options], log: new NoOpLog(), telemetry: { enabled: false }, cf: false }),
  );
  try {
    const response = await runtime.dispatchFetch('http://localhost/openapi.json');
    const text = await response.text();
    if (response.status !== 200) throw new Error(`/openapi.json answered ${response.status}: ${text}`);
    return text;
  } finally {
    await runtime.dispose();
  }
}

try {
  const document = JSON.parse(await servedDocument()) as Record<string, unknown>;
  mkdirSync(path.dirname(DOCUMENT), { recursive: true });
  writeFileSync(DOCUMENT, JSON.stringify(document, undefined, 2));
  const { status } = spawnSync('redocly', ['lint', DOCUMENT, '--config', path.join(ROOT, 'redocly.yaml')], {
    stdio: 'inherit',
    env: { ...process.env, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' },
  });
  const { valid, errors } = await new Validator().validate(document);
  if (!valid)
    console.error('The document does not fit the schema of OpenAPI 3.1:', JSON.stringify(errors, undefined, 2));
  const fault = clientFault(DOCUMENT);
  if (fault !== undefined) console.error(`A client made from the document does not compile:\n${fault}`);
  if (status !== 0 || !valid || fault !== undefined) process.exitCode = 1;
} catch (error) {
  console.error(reasonOf(error));
  process.exitCode = 1;
}
