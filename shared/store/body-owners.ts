/** Which bodies in the bucket the rows of tasks lead to. */
import type { TaskStatus } from '../task/status.ts';
import { jsonParameters, runForEach } from './parameter.ts';

export interface BodyOwnerRow {
  readonly id: string;
  readonly status: TaskStatus;
  readonly bodies_deleted_at: number | null;
  /** Names of objects. */
  readonly payload: string | null;
  readonly result: string | null;
}

export async function readBodyOwners(db: D1Database, ids: readonly string[]): Promise<BodyOwnerRow[]> {
  return runForEach<BodyOwnerRow>(
    db,
    `SELECT id, status, bodies_deleted_at, request->>'$.storedBody.key' AS payload, result_stored->>'$.key' AS result
     FROM tasks WHERE id IN (SELECT value FROM json_each(?1))`,
    jsonParameters(ids),
  );
}
