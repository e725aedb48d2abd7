/**
 * The service whose tasks are the messages to one hook. It is nobody's to define: the same for all hooks but for the origin.
 * A receiver answers within 15 seconds; one that is away is tried again by each message's own backoff, so that no hook
 * waits for another.
 */
import { type ServiceDefinition, ServiceDefinitionSchema } from '../service/definition.ts';
import { isHookService } from './hook.ts';

const TIMEOUT_SECONDS = 15;

/** Of a name that stands for a hook: enough to know that it is not called through servers, and may be paused. */
const HOOK_SERVICE = ServiceDefinitionSchema.parse({
  baseUrl: 'https://webhook.invalid',
  method: 'POST',
  timeoutSeconds: TIMEOUT_SECONDS,
});

/** @returns undefined for every other name */
export function hookServiceOf(name: string): ServiceDefinition | undefined {
  return isHookService(name) ? HOOK_SERVICE : undefined;
}

/** Of one message, whose address its request says. */
export function definitionOfMessage(url: string): ServiceDefinition {
  return { ...HOOK_SERVICE, baseUrl: new URL(url).origin };
}
