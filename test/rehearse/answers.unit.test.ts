/**
 * The stub's answers have the types that Cloudflare's official client gives to the API's: checked by the compiler, so a
 * newer client that knows better stops `npm run check`. What wrangler reads beyond these types is said in `answers.ts`.
 */
import type { D1 } from 'cloudflare/resources/d1/d1';
import type { DatabaseListResponse, QueryResult } from 'cloudflare/resources/d1/database/database';
import type { Consumer } from 'cloudflare/resources/queues/consumers';
import type { Queue, QueueGetMetricsResponse } from 'cloudflare/resources/queues/queues';
import type { Bucket } from 'cloudflare/resources/r2/buckets/buckets';
import type { DomainListResponse } from 'cloudflare/resources/workers/domains';
import type { TelemetryQueryResponse } from 'cloudflare/resources/workers/observability/telemetry';
import type { DeploymentListResponse } from 'cloudflare/resources/workers/scripts/deployments';
import type { ScheduleGetResponse } from 'cloudflare/resources/workers/scripts/schedules';
import type { ScriptListResponse, ScriptSetting } from 'cloudflare/resources/workers/scripts/scripts';
import type { SubdomainGetResponse } from 'cloudflare/resources/workers/scripts/subdomain';
import type { VersionGetResponse, VersionListResponse } from 'cloudflare/resources/workers/scripts/versions';
import { expect, expectTypeOf, it } from 'vitest';
import * as answers from '../../rehearse/answers.ts';

/** Optional fields of the client are required or absent here, which `exactOptionalPropertyTypes` tells apart. */
type Answer<Function extends (...args: never[]) => unknown> = ReturnType<Function>;

it('is what the official client expects', () => {
  expectTypeOf<Answer<typeof answers.deploymentsAnswer>>().toExtend<DeploymentListResponse>();
  expectTypeOf<Answer<typeof answers.versionItem>>().toExtend<VersionListResponse>();
  expectTypeOf<Answer<typeof answers.versionAnswer>>().toExtend<VersionGetResponse>();
  expectTypeOf<Answer<typeof answers.subdomainAnswer>>().toExtend<SubdomainGetResponse>();
  expectTypeOf<Answer<typeof answers.schedulesAnswer>>().toExtend<ScheduleGetResponse>();
  expectTypeOf<Answer<typeof answers.domainAnswer>>().toExtend<DomainListResponse>();
  expectTypeOf<Answer<typeof answers.scriptAnswer>>().toExtend<ScriptListResponse>();
  expectTypeOf<Answer<typeof answers.settingsAnswer>>().toExtend<ScriptSetting>();
  expectTypeOf<Answer<typeof answers.queueAnswer>>().toExtend<Queue>();
  expectTypeOf<Answer<typeof answers.consumerAnswer>>().toExtend<Consumer>();
  expectTypeOf<Answer<typeof answers.metricsAnswer>>().toExtend<QueueGetMetricsResponse>();
  expectTypeOf<Answer<typeof answers.databaseAnswer>>().toExtend<DatabaseListResponse & D1>();
  expectTypeOf<Answer<typeof answers.queryAnswer>>().toExtend<QueryResult>();
  expectTypeOf<Answer<typeof answers.bucketAnswer>>().toExtend<Bucket>();
  expectTypeOf<Answer<typeof answers.telemetryAnswer>>().toExtend<TelemetryQueryResponse>();
});

it('has a type for every answer', () => {
  expect(Object.keys(answers)).toHaveLength(15);
});
