-- The table of tasks without a list of all statuses in its CHECKs, and with names for them. SQLite changes an unnamed
-- CHECK by a copy of the table alone, and a copy of millions of rows does not end within the 30 seconds that D1 gives a
-- statement: a new status would have been impossible just where there is much (decision 0087). Workers notice nothing.
DROP TRIGGER task_ends_are_told;
DROP TRIGGER webhook_messages_are_tasks;

CREATE TABLE tasks_copied (
  id TEXT PRIMARY KEY,
  subject TEXT NOT NULL,
  -- Empty on a tombstone: cancelled before its first message arrived.
  service TEXT NOT NULL,
  -- A word of `shared/task/status.ts`.
  status TEXT NOT NULL,
  run INTEGER NOT NULL DEFAULT 0,
  deferrals INTEGER NOT NULL DEFAULT 0,
  attempts_offset INTEGER NOT NULL DEFAULT 0,
  max_attempts INTEGER NOT NULL CHECK (max_attempts >= 1),
  base_seconds REAL NOT NULL,
  cap_seconds REAL NOT NULL,
  deadline_at INTEGER NOT NULL,
  lease_until INTEGER,
  -- The batch that holds the lease: the same claim repeated gets the same answer.
  nonce TEXT,
  -- Earliest start of the next attempt.
  next_at INTEGER,
  -- When the sweeper looks at the row if nothing else moved it.
  due_at INTEGER,
  -- Wake-ups sent since the last claim; the grace before the next one grows with it.
  sends INTEGER NOT NULL DEFAULT 0,
  reason TEXT,
  callback_timeout_ms INTEGER,
  settled_run INTEGER,
  settled_verdict TEXT CHECK (settled_verdict IN ('succeeded', 'failed')),
  started_at INTEGER,
  finished_at INTEGER,
  failures INTEGER NOT NULL DEFAULT 0,
  progress TEXT,
  labels TEXT,
  error TEXT,
  history TEXT NOT NULL DEFAULT '[]',
  request TEXT,
  result_type TEXT,
  result_encoding TEXT CHECK (result_encoding IN ('json', 'text', 'base64')),
  result TEXT,
  parked_for TEXT,
  released_at INTEGER,
  server TEXT,
  bodies_deleted_at INTEGER,
  request_body TEXT,
  life_ms INTEGER,
  ref TEXT,
  on_complete TEXT,
  group_name TEXT,
  result_stored TEXT,
  place INTEGER,
  waits_since INTEGER,
  -- Of the statuses that are known here. One that comes later is tied to its columns by the code alone, or by a trigger.
  CONSTRAINT tasks_times CHECK (CASE
    WHEN status IN ('succeeded', 'failed', 'cancelled', 'expired') THEN finished_at IS NOT NULL AND next_at IS NULL
    WHEN status IN ('scheduled', 'retrying', 'deferred') THEN finished_at IS NULL AND next_at IS NOT NULL
    WHEN status IN ('queued', 'running', 'waiting') THEN finished_at IS NULL AND next_at IS NULL
    ELSE true END),
  CONSTRAINT tasks_lease CHECK ((lease_until IS NOT NULL) = (status = 'running')),
  CONSTRAINT tasks_callback CHECK (status <> 'waiting' OR (due_at IS NOT NULL AND callback_timeout_ms IS NOT NULL)),
  CONSTRAINT tasks_parked CHECK (parked_for IS NULL OR (status = 'deferred' AND due_at IS NOT NULL)),
  CONSTRAINT tasks_ended CHECK (finished_at IS NULL OR due_at IS NULL),
  CONSTRAINT tasks_bodies CHECK (bodies_deleted_at IS NULL OR finished_at IS NOT NULL),
  CONSTRAINT tasks_result CHECK (result_stored IS NULL OR result IS NULL),
  CONSTRAINT tasks_counters CHECK (deferrals + attempts_offset <= run)
) WITHOUT ROWID;

INSERT INTO tasks_copied (
  id, subject, service, status, run, deferrals, attempts_offset, max_attempts, base_seconds, cap_seconds,
  deadline_at, lease_until, nonce, next_at, due_at, sends, reason, callback_timeout_ms, settled_run,
  settled_verdict, started_at, finished_at, failures, progress, labels, error, history, request, result_type,
  result_encoding, result, parked_for, released_at, server, bodies_deleted_at, request_body, life_ms, ref,
  on_complete, group_name, result_stored, place, waits_since
)
SELECT
  id, subject, service, status, run, deferrals, attempts_offset, max_attempts, base_seconds, cap_seconds,
  deadline_at, lease_until, nonce, next_at, due_at, sends, reason, callback_timeout_ms, settled_run,
  settled_verdict, started_at, finished_at, failures, progress, labels, error, history, request, result_type,
  result_encoding, result, parked_for, released_at, server, bodies_deleted_at, request_body, life_ms, ref,
  on_complete, group_name, result_stored, place, waits_since
FROM tasks;

-- Its indexes and triggers go with it.
DROP TABLE tasks;
ALTER TABLE tasks_copied RENAME TO tasks;

CREATE INDEX tasks_callback_due ON tasks (due_at) WHERE status = 'waiting';
CREATE INDEX tasks_deadline_due ON tasks (due_at) WHERE status <> 'waiting' AND due_at = deadline_at;
CREATE INDEX tasks_parked ON tasks (parked_for, place, id, service, reason) WHERE parked_for IS NOT NULL;
CREATE INDEX tasks_send_due ON tasks (due_at) WHERE status <> 'waiting' AND parked_for IS NULL AND due_at < deadline_at;

-- As they were.
CREATE TRIGGER tasks_count_in_their_group AFTER UPDATE OF status ON tasks
WHEN new.group_name IS NOT NULL AND old.status <> new.status AND (old.finished_at IS NOT NULL OR new.finished_at IS NOT NULL)
BEGIN
  UPDATE groups SET
    succeeded = succeeded + (new.status = 'succeeded') - (old.status = 'succeeded'),
    failed = failed + (new.status = 'failed') - (old.status = 'failed'),
    cancelled = cancelled + (new.status = 'cancelled') - (old.status = 'cancelled'),
    expired = expired + (new.status = 'expired') - (old.status = 'expired'),
    ended_at = CASE
      WHEN ended_at IS NOT NULL THEN ended_at
      WHEN closed_at IS NOT NULL AND old.finished_at IS NULL AND succeeded + failed + cancelled + expired + 1 = total
        THEN new.finished_at
    END
  WHERE subject = new.subject AND name = new.group_name;
END;

CREATE TRIGGER tasks_end_is_told AFTER UPDATE OF status ON tasks
WHEN new.on_complete IS NOT NULL AND old.finished_at IS NULL AND new.finished_at IS NOT NULL AND json_valid(new.on_complete)
BEGIN
  INSERT INTO task_ends (id) VALUES (new.id);
END;

CREATE TRIGGER tasks_found_by_label AFTER INSERT ON tasks WHEN new.labels IS NOT NULL
BEGIN
  INSERT OR IGNORE INTO finds (term, subject, entry)
  SELECT 'label:' || key || ':' || value, new.subject, new.id FROM json_each(new.labels);
END;

CREATE TRIGGER tasks_found_by_ref AFTER INSERT ON tasks WHEN new.ref IS NOT NULL
BEGIN
  INSERT OR IGNORE INTO finds (term, subject, entry) VALUES ('ref:' || new.ref, new.subject, new.id);
END;

CREATE TRIGGER tasks_found_by_subject AFTER INSERT ON tasks
WHEN NOT EXISTS (SELECT 1 FROM finds WHERE term = '' AND subject = new.subject AND entry = substr(new.id, 1, 10))
BEGIN
  INSERT OR IGNORE INTO finds (term, subject, entry)
  SELECT '', new.subject, CASE WHEN
      (SELECT count(*) FROM finds WHERE term = '' AND subject = new.subject
         AND entry > substr(new.id, 1, 10) AND entry < substr(new.id, 1, 10) || '~') < 4
      AND (SELECT count(*) FROM (
         SELECT 1 FROM (SELECT subject FROM tasks WHERE id < new.id ORDER BY id DESC LIMIT 200) AS before
         WHERE before.subject = new.subject LIMIT 2)) < 2
    THEN new.id ELSE substr(new.id, 1, 10) END;
END;

CREATE TRIGGER tasks_found_later AFTER UPDATE OF service ON tasks WHEN old.service = '' AND new.service <> ''
BEGIN
  INSERT OR IGNORE INTO finds (term, subject, entry)
  SELECT 'ref:' || new.ref, new.subject, new.id WHERE new.ref IS NOT NULL
  UNION ALL
  SELECT 'label:' || key || ':' || value, new.subject, new.id FROM json_each(coalesce(new.labels, '{}'));
END;

CREATE TRIGGER tasks_join_their_group AFTER INSERT ON tasks WHEN new.group_name IS NOT NULL
BEGIN
  UPDATE groups SET total = total + 1 WHERE subject = new.subject AND name = new.group_name;
  INSERT INTO finds (term, subject, entry) VALUES ('group:' || new.group_name, new.subject, new.id);
END;

CREATE TRIGGER tasks_late_end_is_told AFTER INSERT ON tasks
WHEN new.on_complete IS NOT NULL AND new.finished_at IS NOT NULL AND json_valid(new.on_complete)
BEGIN
  INSERT INTO task_ends (id) VALUES (new.id);
END;

CREATE TRIGGER tasks_tombstone_is_told AFTER UPDATE OF service ON tasks
WHEN new.on_complete IS NOT NULL AND old.service = '' AND new.service <> '' AND new.finished_at IS NOT NULL AND json_valid(new.on_complete)
BEGIN
  INSERT INTO task_ends (id) VALUES (new.id);
END;

CREATE TRIGGER task_ends_are_told INSTEAD OF INSERT ON task_ends
BEGIN
  INSERT INTO webhook_messages (id, subject, hook, at, type, data, hops)
  SELECT id || '_w' || (1 + coalesce((SELECT max(CAST(substr(message.id, 39) AS INTEGER)) FROM tasks AS message
      WHERE message.id > new.id || '_w' AND message.id < new.id || '_x'), 0)),
    subject, on_complete, finished_at, 'task.' || status,
    json_object('id', id, 'status', status, 'service', service, 'ref', ref, 'labels', json(labels), 'group', group_name,
      'attempts', run - deferrals, 'finishedAt', strftime('%Y-%m-%dT%H:%M:%fZ', finished_at / 1000.0, 'unixepoch'),
      'errorClass', error->>'class', 'httpStatus', error->>'httpStatus', 'taskUrl', (on_complete->>'linkBase') || id),
    request->>'hops'
  FROM tasks WHERE id = new.id AND status IN (SELECT value FROM json_each(on_complete, '$.on'));
END;

CREATE TRIGGER webhook_messages_are_tasks INSTEAD OF INSERT ON webhook_messages
BEGIN
  INSERT INTO tasks (id, subject, service, status, max_attempts, base_seconds, cap_seconds, deadline_at, life_ms, due_at, sends,
    request, request_body)
  VALUES (new.id, new.subject, new.hook->>'service', 'queued', 100, 5, 14400, new.at + 259200000, 259200000, new.at + 60000, 1,
    json_object('method', 'POST', 'path', new.hook->>'path', 'hops', coalesce(new.hops, 0),
      'webhook', json_object('url', new.hook->>'url', 'owner', new.subject, 'format', new.hook->>'format'),
      'body', json_object('type', 'application/json', 'encoding', 'json')),
    -- The patch leaves out what is null.
    json_object('type', new.type, 'timestamp', strftime('%Y-%m-%dT%H:%M:%fZ', new.at / 1000.0, 'unixepoch'),
      'data', json_patch('{}', new.data)));
END;
