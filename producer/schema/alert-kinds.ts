/** What alerts are about, and from when on each is wrong: for the API, its rounds and the dashboard's form. Plain data. */

export const ALERT_KINDS = [
  'backlog-late',
  'tasks-expiring',
  'failure-rate',
  'keys-cooling',
  'keys-refused',
  'circuit-open',
  'service-unreachable',
  'dead-letters',
  'store-fill',
  'sweep-late',
  'part-away',
] as const;
export type AlertKind = (typeof ALERT_KINDS)[number];

/** From when on a kind is wrong, in the unit of its value; what is not set has the default. */
export const DEFAULT_THRESHOLDS: Readonly<Record<AlertKind, number>> = {
  'backlog-late': 1,
  'tasks-expiring': 1,
  'failure-rate': 20,
  'keys-cooling': 100,
  'keys-refused': 1,
  'circuit-open': 1,
  'service-unreachable': 1,
  'dead-letters': 1,
  'store-fill': 90,
  'sweep-late': 5,
  'part-away': 1,
};

export const ALERT_UNITS: Readonly<Record<AlertKind, string>> = {
  'backlog-late': 'tasks',
  'tasks-expiring': 'tasks',
  'failure-rate': 'percent of the tasks that ended',
  'keys-cooling': 'percent of the keys of a pool',
  'keys-refused': 'keys of a pool',
  'circuit-open': 'circuits of a service',
  'service-unreachable': 'addresses',
  'dead-letters': 'messages in two hours',
  'store-fill': 'percent',
  'sweep-late': 'minutes',
  'part-away': 'parts',
};
