/** What kinds of errors a task can end with, or an attempt. */
export const ERROR_CLASSES = [
  /** The backend answered with an error status. */
  'http',
  /** No answer within the service's time-out. */
  'timeout',
  /** The connection failed. */
  'network',
  /** The backend accepted the work and did not call back in time. */
  'callback-timeout',
  /** The backend called back with a failure. */
  'callback',
  /** The consumer stopped before it could record an outcome. */
  'lost',
  /** The answer was larger than can be stored. */
  'result-too-large',
  /** The answer is packed in a way that cannot be looked into. */
  'result-unreadable',
  /** The payload is not in the bucket any more. */
  'payload-missing',
  /** The database refused what came of the attempt. */
  'unstorable',
  /** The deadline passed. */
  'deadline',
  /** Its service was deleted while it waited. */
  'service-deleted',
] as const;
