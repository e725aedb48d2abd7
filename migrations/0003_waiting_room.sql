-- The waiting room (rule R20). `parked_for` is the line in which a task stands, such as `pool:openai` or
-- `service:ocr`; a released task keeps it until its claim, so that a release writes one row.
ALTER TABLE tasks ADD COLUMN released_at INTEGER;
-- The registered server that works on a task which waits for its callback: it is told of a cancellation.
ALTER TABLE tasks ADD COLUMN server TEXT;

-- Each kind of time-driven work has an index of its own, so that a flood of one hides no other (rule R23).
-- A parked task enters one only when its fallback is its deadline; otherwise its line leads to it.
DROP INDEX tasks_due;
CREATE INDEX tasks_callback_due ON tasks (due_at) WHERE status = 'waiting';
CREATE INDEX tasks_deadline_due ON tasks (due_at) WHERE status <> 'waiting' AND due_at = deadline_at;
CREATE INDEX tasks_send_due ON tasks (due_at) WHERE status <> 'waiting' AND parked_for IS NULL AND due_at < deadline_at;

-- How fast a line moves, as the owner of its capacity says with its releases: what a poll can say of "until when".
CREATE TABLE lines (
  line TEXT PRIMARY KEY,
  per_second REAL,
  noted_at INTEGER NOT NULL
) WITHOUT ROWID;
