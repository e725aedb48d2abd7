/**
 * Messages about the end of tasks (rule R24). The database writes them itself, with the end (`migrations/schema/tasklane.sql`);
 * here they are found, so that they go out at once and not when the sweeper comes.
 */
import { jsonParameters, runForEach } from './parameter.ts';

export interface MessageRow {
  readonly id: string;
  readonly service: string;
}

/** The messages about these tasks, and about groups that ended with them, that nobody has claimed yet. */
export function readMessagesOf(db: D1Database, ids: readonly string[]): Promise<MessageRow[]> {
  return runForEach<MessageRow>(
    db,
    `SELECT message.id, message.service FROM json_each(?1) AS ended
     CROSS JOIN tasks AS message ON message.id > ended.value || '_w' AND message.id < ended.value || '_x'
     WHERE message.status = 'queued'
     UNION
     SELECT message.id, message.service FROM json_each(?1) AS ended
     CROSS JOIN tasks ON tasks.id = ended.value
     CROSS JOIN groups ON groups.subject = tasks.subject AND groups.name = tasks.group_name AND groups.ended_at IS NOT NULL
     CROSS JOIN tasks AS message ON message.id = groups.message
     WHERE message.status = 'queued'`,
    jsonParameters(ids),
  );
}
