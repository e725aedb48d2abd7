/**
 * `--once`: says what would be registered and whether it would work: the local services, the public
 * address, the coordinator's address and the token. Registers nothing.
 */
import { type AgentConfig, agentUrlOf, mayLead } from './config.ts';
import { type Coordinator, Unreachable } from './coordinator.ts';
import { listen } from './listener.ts';
import { offeredServices, type ProbeResult, presencesAfter } from './probe-result.ts';
import { probeServices } from './probe-services.ts';
import { registrationRequest } from './registration-request.ts';

export interface Finding {
  readonly check: 'service' | 'public-address' | 'coordinator' | 'listen';
  readonly subject: string;
  /** `warning`: it may work all the same. */
  readonly severity: 'ok' | 'warning' | 'problem';
  readonly text: string;
}

export interface Inspection {
  readonly findings: readonly Finding[];
  readonly registration: Readonly<Record<string, unknown>>;
  readonly passed: boolean;
}

export async function inspect(config: AgentConfig, coordinator: Coordinator): Promise<Inspection> {
  const results = await probeServices(config.services);
  const services = offeredServices(config.services, presencesAfter({}, results));
  const local = config.services.map(({ name, localUrl, healthPath, version }): Finding => {
    const result = results.find((each) => each.name === name);
    const where = localUrl + healthPath;
    if (result?.kind !== 'answers') {
      return {
        check: 'service',
        subject: name,
        severity: failure(result),
        text: `${where}: ${result?.why ?? 'not seen'}`,
      };
    }
    if (version !== undefined && result.version === undefined) {
      return { check: 'service', subject: name, severity: 'warning', text: `${where} answers, and tells no version` };
    }
    return {
      check: 'service',
      subject: name,
      severity: 'ok',
      text: `${where} answers${result.version === undefined ? '' : `, version ${result.version}`}`,
    };
  });
  const [outside, token, port] = await Promise.all([
    lookFromOutside(
      config,
      services.map(({ name }) => name),
    ),
    askCoordinator(config, coordinator),
    tryPort(config),
  ]);
  const findings = [...local, ...outside, ...port, token];
  const request = registrationRequest(config, agentUrlOf(config, config.listen?.port ?? 0));
  return {
    findings,
    registration: { ...request, services },
    passed: services.length > 0 && findings.every(({ severity }) => severity !== 'problem'),
  };
}

/** What is not there may come; what answers that it is not that, is something else or at another path. */
function failure(result: Exclude<ProbeResult, { kind: 'answers' }> | undefined): Finding['severity'] {
  return result?.kind === 'fails' && result.status !== undefined ? 'problem' : 'warning';
}

/** Where Tasklane will call. From inside it may not be reachable, so that is a warning only; an error answered there is none. */
async function lookFromOutside(config: AgentConfig, names: readonly string[]): Promise<Finding[]> {
  const answering = config.services.filter(({ name }) => names.includes(name));
  const published = answering.map((service) => {
    const base = new URL(config.url);
    if (service.port !== undefined) base.port = String(service.port);
    const localUrl = (base.href.replace(/\/+$/, '') + service.path).replace(/\/+$/, '');
    return { ...service, localUrl };
  });
  const results = await probeServices(published);
  return published.map(({ name, localUrl, healthPath }): Finding => {
    const result = results.find((each) => each.name === name);
    const where = localUrl + healthPath;
    if (result?.kind === 'answers')
      return { check: 'public-address', subject: name, severity: 'ok', text: `${where} answers` };
    const text = `${where}: ${result?.why ?? 'not seen'}, as seen from here; Tasklane calls the service there`;
    return { check: 'public-address', subject: name, severity: failure(result), text };
  });
}

async function askCoordinator({ coordinator: url }: AgentConfig, coordinator: Coordinator): Promise<Finding> {
  const finding = (severity: Finding['severity'], text: string): Finding => ({
    check: 'coordinator',
    subject: url,
    severity,
    text,
  });
  try {
    const reply = await coordinator.servers();
    if (reply.kind === 'answered')
      return finding('ok', `answers, and takes the token (${reply.value.servers.length} servers registered with it)`);
    return finding('problem', reply.kind === 'refused' ? reply.reason : 'does not know /api/servers');
  } catch (error) {
    if (!(error instanceof Unreachable)) throw error;
    return finding('problem', error.message);
  }
}

async function tryPort(config: AgentConfig): Promise<Finding[]> {
  if (config.listen === undefined) return [];
  const { port, host } = config.listen;
  const subject = `port ${port}`;
  const will = mayLead(config) ? 'leads or follows' : 'follows';
  try {
    const listener = await listen(port, host, { id: () => undefined, probedByLeader: () => {}, status: () => ({}) });
    listener.close();
    return [{ check: 'listen', subject, severity: 'ok', text: `is free; the agent ${will}` }];
  } catch (error) {
    return [{ check: 'listen', subject, severity: 'problem', text: `cannot be used: ${(error as Error).message}` }];
  }
}
