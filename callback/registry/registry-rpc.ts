/**
 * The producer's, and the synchronous route's, RPC to the server registry: checks what comes by RPC
 * and asks the one object.
 */
import { WorkerEntrypoint } from 'cloudflare:workers';
import * as z from 'zod';
import { flowName, shardOfFlow } from '../../shared/flow/flow.ts';
import {
  type ClusterHeartbeat,
  ClusterHeartbeatSchema,
  type Heartbeat,
  HeartbeatSchema,
  MaintenanceSchema,
  type Registration,
  RegistrationSchema,
} from '../../shared/registry/registration.ts';
import {
  type AbandonedLease,
  AbandonedLeaseSchema,
  type CallReports,
  type RouteRequest,
  readCallReports,
  readRouteRequest,
} from '../../shared/registry/routing.ts';
import type { FlowsAsked, RegistryCaller, RegistryRpc as Rpc, ServicePause } from '../../shared/registry/rpc.ts';
import { type ClientQuota, ClientQuotaSchema } from '../../shared/service/client-quota.ts';
import { type FlowLimits, FlowLimitsSchema } from '../../shared/task/flow-limits.ts';
import { readEnv } from '../env.ts';
import { listAllFlows } from '../flows/flow-list.ts';
import { askRegistry, type RegistryStub } from './asking.ts';

const AdmissionSchema = z.object({
  subject: z.string(),
  service: z.string(),
  quota: ClientQuotaSchema,
  wanted: z.number().int().min(1),
});

const FlowsAskedSchema = z.object({ prefix: z.string(), after: z.string(), limit: z.number().int().min(1).max(1_000) });

export class RegistryRpc extends WorkerEntrypoint implements Rpc {
  register(registration: Registration, caller: RegistryCaller) {
    return this.#ask((registry) => registry.register(RegistrationSchema.parse(registration), caller));
  }

  heartbeat(id: string, heartbeat: Heartbeat, caller: RegistryCaller) {
    return this.#ask((registry) => registry.heartbeat(id, HeartbeatSchema.parse(heartbeat), caller));
  }

  heartbeatCluster(heartbeat: ClusterHeartbeat, caller: RegistryCaller) {
    return this.#ask((registry) => registry.heartbeatCluster(ClusterHeartbeatSchema.parse(heartbeat), caller));
  }

  claimLeadership(id: string, caller: RegistryCaller) {
    return this.#ask((registry) => registry.claimLeadership(id, caller));
  }

  setMaintenance(id: string, enabled: boolean, caller: RegistryCaller) {
    return this.#ask((registry) => registry.setMaintenance(id, MaintenanceSchema.parse({ enabled }).enabled, caller));
  }

  removeServer(id: string, caller: RegistryCaller) {
    return this.#ask((registry) => registry.removeServer(id, caller));
  }

  listServers(caller: RegistryCaller) {
    return this.#ask((registry) => registry.listServers(caller));
  }

  getServer(id: string, caller: RegistryCaller) {
    return this.#ask((registry) => registry.getServer(id, caller));
  }

  getMetrics(id: string, caller: RegistryCaller) {
    return this.#ask((registry) => registry.getMetrics(id, caller));
  }

  listServices() {
    return this.#ask((registry) => registry.listServices());
  }

  readServices(known: number) {
    return this.#ask((registry) => registry.readServices(known));
  }

  putService(name: string, definition: unknown) {
    return this.#ask((registry) => registry.putService(name, definition));
  }

  deleteService(name: string, force: boolean) {
    return this.#ask((registry) => registry.deleteService(name, force));
  }

  setPaused(name: string, pause: ServicePause | undefined) {
    return this.#ask((registry) => registry.setPaused(name, pause));
  }

  getDemand(name: string) {
    return this.#ask((registry) => registry.getDemand(name));
  }

  resume(name: string, rampSeconds: number | undefined) {
    return this.#ask((registry) => registry.resume(name, rampSeconds));
  }

  getService(name: string) {
    return this.#ask((registry) => registry.getService(name));
  }

  getFlow(name: string) {
    return this.#askFlow(name, (flows) => flows.getFlow(name));
  }

  async listFlows(asked: FlowsAsked) {
    return listAllFlows(await readEnv(this.env as object), FlowsAskedSchema.parse(asked));
  }

  putFlow(name: string, limits: FlowLimits) {
    return this.#askFlow(name, (flows) => flows.putFlow(name, FlowLimitsSchema.parse(limits)));
  }

  pauseFlow(name: string, pause: ServicePause | undefined) {
    return this.#askFlow(name, (flows) => flows.pauseFlow(name, pause));
  }

  admitTasks(subject: string, service: string, quota: ClientQuota, wanted: number) {
    const parsed = AdmissionSchema.parse({ subject, service, quota, wanted });
    return this.#askFlow(flowName(subject, service), (flows) =>
      flows.admitTasks(parsed.subject, parsed.service, parsed.quota, parsed.wanted),
    );
  }

  getBalancer() {
    return this.#ask((registry) => registry.getBalancer());
  }

  setBalancing(name: string, algorithm: string) {
    return this.#ask((registry) => registry.setBalancing(name, algorithm));
  }

  route(request: RouteRequest) {
    return this.#ask((registry) => registry.route(readRouteRequest(request)));
  }

  reportCalls(reports: CallReports) {
    return this.#ask((registry) => registry.reportCalls(readCallReports(reports)));
  }

  giveUp(lease: AbandonedLease) {
    return this.#ask((registry) => registry.giveUp(AbandonedLeaseSchema.parse(lease)));
  }

  #askFlow<Value>(name: string, question: (flows: RegistryStub) => Promise<Value>): Promise<Value> {
    return this.#ask(question, shardOfFlow(name));
  }

  async #ask<Value>(question: (registry: RegistryStub) => Promise<Value>, flowShard?: number): Promise<Value> {
    return askRegistry((await readEnv(this.env as object)).serverRegistry, question, flowShard);
  }
}
