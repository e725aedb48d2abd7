/** What the agent registers beside the services that answer. Pure. */
import type * as z from 'zod';
import type { RegistrationSchema } from '../shared/registry/registration.ts';
import { type AgentConfig, mayLead } from './config.ts';

export type RegistrationRequest = Omit<z.input<typeof RegistrationSchema>, 'services'>;

/** @param agentUrl where the leader probes this agent; undefined when it does not listen */
export function registrationRequest(config: AgentConfig, agentUrl: string | undefined): RegistrationRequest {
  const { url, tier, weight, maxConcurrency, capabilities, cluster } = config;
  return {
    url,
    tier,
    weight,
    maxConcurrency,
    capabilities,
    cluster,
    wantsHeartbeatLeadership: mayLead(config),
    ...(agentUrl !== undefined && { agentUrl }),
  };
}
