import type { StoredBody } from '../../shared/task/stored-body.ts';

/** A value that lies in the bucket. */
export interface LargeValue {
  /** The member that it was. */
  readonly name: string;
  readonly isBase64: boolean;
  readonly body: StoredBody;
  /** Of the task that it belongs to. */
  readonly id: string;
  /** The group that was named before it. */
  readonly group: string | undefined;
}
