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
  { not: 'keeper', but: 'host' },
  { not: 'bring', but: 'flush, send' },
  { not: 'peeked', but: 'bounded read' },
  { not: 'peek body', but: 'readBounded' },
  { not: 'watched body', but: 'observedStream' },
  { not: 'heard answer', but: 'classifyResponse' },
  { not: 'hearing', but: 'KeyObservation' },
  { not: 'hear', but: 'contact, observe' },
  { not: 'heard', but: 'contact, answered' },
  { not: 'unheard', but: 'unknown' },
  { not: 'key case', but: 'ConsumerKeys' },
  { not: 'learn services', but: 'loadServices' },
  { not: 'turnstile', but: 'limiter, admission' },
  { not: 'standing', but: 'status, state' },
  { not: 'standings', but: 'statuses' },
  { not: 'visit', but: 'probe' },
  { not: 'visitor', but: 'client' },
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
  { not: 'proven', but: 'observed' },
  { not: 'trial', but: 'window probe, run' },
  { not: 'trials', but: 'runs' },
  { not: 'verdict', but: 'disposition, status, outcome' },
  { not: 'verdicts', but: 'dispositions' },
  { not: 'remember', but: 'snapshot' },
  { not: 'remembered', but: 'kept, recorded' },
  { not: 'recall', but: 'restore' },
  { not: 'recalled', but: 'restored' },
  { not: 'arrange', but: 'resolve' },
  { not: 'given', but: 'inputs, or what it is' },
  { not: 'judge', but: 'check' },
  { not: 'judgement', but: 'check' },
  { not: 'unreached', but: 'unreachable' },
  { not: 'promised', but: 'reserved' },
  { not: 'paces', but: 'rates' },
  { not: 'Word', but: 'a name that says whose answer it is' },
];

/** Names that the wire, the database or another library has settled: they stay, each for its reason. */
export interface KeptName {
  readonly name: string;
  readonly reason: string;
}

export const KEPT_NAMES: readonly KeptName[] = [
  { name: 'lastHeardAt', reason: 'a field of the API' },
  { name: 'settled_verdict', reason: 'a column' },
  { name: 'Visitor', reason: "oxc-parser's" },
  { name: 'visit', reason: 'its method' },
];

/** Words that comments and pages do not use either: each hid a thing that has a name of its own. */
export const RETIRED_IN_PROSE: readonly RetiredName[] = [
  { not: 'aftermath', but: 'result' },
  { not: 'asker', but: 'caller' },
  { not: 'farewell', but: 'leave notice' },
  { not: 'fate', but: 'disposition' },
  { not: 'guilty', but: 'at fault' },
  { not: 'headroom', but: 'probe step' },
  { not: 'innocent', but: 'not at fault' },
  { not: 'roster', but: 'members, key set' },
  { not: 'scout', but: 'canary key' },
  { not: 'turnstile', but: 'limiter' },
  { not: 'unheard', but: 'without contact, unknown' },
  { not: 'unreached', but: 'unreachable' },
  { not: 'verdict', but: 'disposition, status' },
  { not: 'verdicts', but: 'dispositions' },
  { not: 'wishes', but: 'requirements' },
];
