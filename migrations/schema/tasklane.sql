-- What the migrations lead to. Written by `npm run schema`; do not edit.

CREATE TABLE audit (
  -- Sorts by time.
  id TEXT PRIMARY KEY,
  at INTEGER NOT NULL,
  subject TEXT NOT NULL,
  role TEXT NOT NULL,
  -- What was done, such as `service.pause`.
  act TEXT NOT NULL,
  -- To what: a service, a task, a key.
  target TEXT NOT NULL,
  -- How many things it concerned.
  count INTEGER NOT NULL,
  before TEXT,
  after TEXT,
  request_id TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE dead_letters (
  hour INTEGER PRIMARY KEY,
  messages INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE finds (
  term TEXT NOT NULL,
  subject TEXT NOT NULL,
  entry TEXT NOT NULL,
  PRIMARY KEY (term, subject, entry)
) WITHOUT ROWID;

CREATE TABLE group_stores (
  subject TEXT NOT NULL,
  name TEXT NOT NULL,
  store INTEGER NOT NULL,
  PRIMARY KEY (subject, name)
) WITHOUT ROWID;

CREATE TRIGGER groups_end_is_told AFTER UPDATE OF ended_at ON groups
WHEN old.ended_at IS NULL AND new.ended_at IS NOT NULL AND new.on_complete IS NOT NULL AND json_valid(new.on_complete)
BEGIN
  INSERT INTO webhook_messages (id, subject, hook, at, type, data, hops)
  SELECT new.message, new.subject, new.on_complete, new.ended_at, 'group.completed',
    json_object('id', new.name, 'total', new.total, 'succeeded', new.succeeded, 'failed', new.failed, 'cancelled', new.cancelled,
      'expired', new.expired, 'createdAt', strftime('%Y-%m-%dT%H:%M:%fZ', new.created_at / 1000.0, 'unixepoch'),
      'endedAt', strftime('%Y-%m-%dT%H:%M:%fZ', new.ended_at / 1000.0, 'unixepoch'),
      'groupUrl', (new.on_complete->>'linkBase') || new.name),
    0
  WHERE EXISTS (
    SELECT 1 FROM json_each(new.on_complete, '$.on') AS told
    WHERE CASE told.value WHEN 'succeeded' THEN new.succeeded WHEN 'failed' THEN new.failed
      WHEN 'cancelled' THEN new.cancelled WHEN 'expired' THEN new.expired END > 0);
END;

CREATE TABLE groups (
  subject TEXT NOT NULL,
  name TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  -- Since when it takes no more tasks.
  closed_at INTEGER,
  -- When it was closed and all of its tasks had ended, for the first time.
  ended_at INTEGER,
  -- Since when its tasks are being cancelled.
  cancelled_at INTEGER,
  total INTEGER NOT NULL DEFAULT 0,
  succeeded INTEGER NOT NULL DEFAULT 0,
  failed INTEGER NOT NULL DEFAULT 0,
  cancelled INTEGER NOT NULL DEFAULT 0,
  expired INTEGER NOT NULL DEFAULT 0,
  -- The id of the task that tells of its end.
  message TEXT NOT NULL,
  -- Whom its end is told to, as JSON (`shared/webhook/hook.ts`).
  on_complete TEXT,
  PRIMARY KEY (subject, name),
  CHECK (ended_at IS NULL OR closed_at IS NOT NULL),
  CHECK (cancelled_at IS NULL OR closed_at IS NOT NULL)
) WITHOUT ROWID;

CREATE INDEX groups_by_age ON groups (created_at);

CREATE INDEX groups_by_owner ON groups (subject, created_at);

CREATE INDEX groups_cancelling ON groups (cancelled_at) WHERE cancelled_at IS NOT NULL AND ended_at IS NULL;

CREATE TABLE idempotency_keys (
  subject TEXT NOT NULL,
  key TEXT NOT NULL,
  -- The task that was made under the key.
  id TEXT NOT NULL,
  -- Hashes of the submission's members, as JSON: enough to name what differs, and nothing of what was sent.
  fields TEXT NOT NULL,
  expires_at INTEGER NOT NULL,
  PRIMARY KEY (subject, key)
) WITHOUT ROWID;

CREATE TABLE job_progress (
  job TEXT PRIMARY KEY,
  -- Ids below this one are still to be looked at; empty at the end.
  position TEXT NOT NULL,
  -- Tasks that were found, and those of them that were moved: the others were no longer as the job needs them.
  seen INTEGER NOT NULL,
  done INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE jobs (
  -- Sorts by time.
  id TEXT PRIMARY KEY,
  act TEXT NOT NULL CHECK (act IN ('cancel', 'redrive', 'purge')),
  -- Who asked.
  subject TEXT NOT NULL,
  -- The filter as it was asked for, and as the stores understand it; JSON.
  asked TEXT NOT NULL,
  filter TEXT NOT NULL,
  -- The pace that was asked for.
  per_second REAL,
  -- How many tasks were found when it was made; a bound was met when `is_counted` is 0.
  matched INTEGER NOT NULL,
  is_counted INTEGER NOT NULL,
  status TEXT NOT NULL DEFAULT 'running' CHECK (status IN ('running', 'finished', 'aborted')),
  created_at INTEGER NOT NULL,
  finished_at INTEGER,
  CHECK ((finished_at IS NOT NULL) = (status <> 'running'))
) WITHOUT ROWID;

CREATE INDEX jobs_running ON jobs (id) WHERE status = 'running';

CREATE TABLE key_reports (
  shard INTEGER PRIMARY KEY,
  asked_at INTEGER NOT NULL,
  told_at INTEGER NOT NULL,
  keys TEXT
);

CREATE TABLE key_switches (
  fingerprint TEXT PRIMARY KEY,
  disabled_at INTEGER
) WITHOUT ROWID;

CREATE TABLE line_turns (
  line TEXT NOT NULL,
  subject TEXT NOT NULL,
  -- The lowest place that a submitter without tasks in the line had when this row was written.
  since INTEGER NOT NULL,
  first INTEGER NOT NULL,
  second INTEGER NOT NULL,
  third INTEGER NOT NULL,
  PRIMARY KEY (line, subject)
) WITHOUT ROWID;

CREATE TABLE lines (
  line TEXT PRIMARY KEY,
  per_second REAL,
  noted_at INTEGER NOT NULL
, rates TEXT) WITHOUT ROWID;

CREATE TABLE redrive_starts (
  service TEXT PRIMARY KEY,
  until REAL NOT NULL
) WITHOUT ROWID;

CREATE TABLE revoked_tokens (
  jti TEXT PRIMARY KEY,
  expires_at INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE scans (
  name TEXT PRIMARY KEY,
  position TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE schedules (
  subject TEXT NOT NULL,
  name TEXT NOT NULL,
  cron TEXT NOT NULL,
  time_zone TEXT NOT NULL,
  -- The submission, as JSON.
  task TEXT NOT NULL,
  overlap TEXT NOT NULL CHECK (overlap IN ('skip', 'queue', 'cancel-older')),
  -- How many missed runs are made up for.
  catch_up INTEGER NOT NULL CHECK (catch_up BETWEEN 0 AND 100),
  paused INTEGER NOT NULL DEFAULT 0,
  -- The next run, Unix ms; NULL when there is none.
  next_at INTEGER,
  -- Runs that are decided and not yet submitted, with the ids of their tasks: each happens once, whoever submits it.
  pending TEXT,
  last_at INTEGER,
  last_task TEXT,
  last_error TEXT,
  PRIMARY KEY (subject, name)
) WITHOUT ROWID;

CREATE INDEX schedules_due ON schedules (next_at) WHERE paused = 0 AND next_at IS NOT NULL;

CREATE INDEX schedules_pending ON schedules (subject, name) WHERE pending IS NOT NULL;

CREATE TABLE settings (
  name TEXT PRIMARY KEY,
  -- JSON.
  value TEXT NOT NULL,
  version INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE "statistics" (
  kind TEXT NOT NULL CHECK (kind IN ('service', 'subject', 'server', 'store', 'queue')),
  name TEXT NOT NULL,
  -- Hours since 1970, UTC.
  hour INTEGER NOT NULL,
  counts TEXT NOT NULL,
  deferrals TEXT NOT NULL,
  -- Durations: from acceptance to the first start, of a call, from acceptance to the end.
  start_histogram TEXT NOT NULL,
  call_histogram TEXT NOT NULL,
  total_histogram TEXT NOT NULL,
  -- How often a wait for a reason was in a bucket: `{ "no-key 7": 3 }`.
  waits TEXT NOT NULL DEFAULT '{}',
  PRIMARY KEY (kind, name, hour)
) WITHOUT ROWID;

CREATE TABLE store_sizes (
  hour INTEGER NOT NULL,
  store INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  PRIMARY KEY (hour, store)
) WITHOUT ROWID;

CREATE VIEW task_ends AS SELECT '' AS id WHERE false;

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

CREATE TABLE "tasks" (
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

CREATE INDEX tasks_callback_due ON tasks (due_at) WHERE status = 'waiting';

CREATE INDEX tasks_deadline_due ON tasks (due_at) WHERE status <> 'waiting' AND due_at = deadline_at;

CREATE INDEX tasks_parked ON tasks (parked_for, place, id, service, reason) WHERE parked_for IS NOT NULL;

CREATE INDEX tasks_send_due ON tasks (due_at) WHERE status <> 'waiting' AND parked_for IS NULL AND due_at < deadline_at;

CREATE VIEW webhook_messages AS
SELECT '' AS id, '' AS subject, '' AS hook, 0 AS at, '' AS type, '' AS data, 0 AS hops WHERE false;

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
