/**
 * Names that were replaced, each with the name in its place. In lower case: these words in a row,
 * anywhere in a name (`nap` is in `ShortNap` and in `short-nap.ts`). With a capital letter:
 * this whole identifier and no longer one.
 */
export interface RetiredName {
  readonly not: string;
  readonly but: string;
}

export const RETIRED_NAMES: readonly RetiredName[] = [
  { not: 'door', but: 'App, Api or Rpc' },
  { not: 'doors', but: 'App, Api or Rpc' },
  { not: 'service book', but: 'ServiceCatalog' },
  { not: 'asker', but: 'RegistryCaller, caller' },
  { not: 'wishes', but: 'requirements' },
  { not: 'fate', but: 'disposition: ack or retry' },
  { not: 'give back', but: 'release' },
  { not: 'worn', but: 'nearDeliveryLimit' },
  { not: 'uncopied', but: 'noReenqueue' },
  { not: 'relay', but: 'proxy, forward' },
  { not: 'send out', but: 'forward' },
  { not: 'Silence', but: 'IdleTimeout' },
  { not: 'Held', but: 'Acquired' },
  { not: 'peeked', but: 'bounded read' },
  { not: 'peek body', but: 'readBounded' },
  { not: 'watched body', but: 'observedStream' },
  { not: 'heard answer', but: 'classifyResponse' },
  { not: 'hearing', but: 'KeyObservation' },
  { not: 'key case', but: 'ConsumerKeys' },
  { not: 'learn services', but: 'loadServices' },
  { not: 'turnstile', but: 'limiter, admission' },
  { not: 'Standing', but: 'a status type' },
  { not: 'happening', but: 'input' },
  { not: 'aftermath', but: 'StepResult' },
  { not: 'sighting', but: 'ProbeResult' },
  { not: 'farewell', but: 'leave notice' },
  { not: 'introduction', but: 'RegistrationRequest' },
  { not: 'nap', but: 'interruptibleSleep' },
  { not: 'leash', but: 'orphanGuard' },
  { not: 'innocent', but: 'not-at-fault' },
  { not: 'suspect', but: 'undetermined' },
  { not: 'guilty', but: 'task-at-fault' },
  { not: 'scout', but: 'canary key' },
  { not: 'headroom', but: 'probe step' },
  { not: 'outlook', but: 'capacity report' },
  { not: 'roster', but: 'members or key set' },
  { not: 'key verdict', but: 'KeyFeedback' },
  { not: 'remember', but: 'snapshot' },
  { not: 'recall', but: 'restore' },
  { not: 'arrange', but: 'resolve' },
  { not: 'UNREACHED', but: 'unavailable' },
  { not: 'Word', but: 'a name that says whose answer it is' },
];

/** Names that the wire, the database or another library has settled: they stay, each for its reason. */
export interface KeptName {
  readonly name: string;
  readonly reason: string;
}

export const KEPT_NAMES: readonly KeptName[] = [];
