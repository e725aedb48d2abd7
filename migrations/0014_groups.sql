-- Groups of tasks, by the name that their owner gives them. All tasks of a group are in one store, so that the statement that
-- ends its last task ends the group, and writes the message about it (rule R24). A task without a group pays for none of this.

-- In which store a group is (control database). The group's own row is there.
CREATE TABLE group_stores (
  subject TEXT NOT NULL,
  name TEXT NOT NULL,
  store INTEGER NOT NULL,
  PRIMARY KEY (subject, name)
) WITHOUT ROWID;

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

CREATE INDEX groups_by_owner ON groups (subject, created_at);
CREATE INDEX groups_by_age ON groups (created_at);
CREATE INDEX groups_cancelling ON groups (cancelled_at) WHERE cancelled_at IS NOT NULL AND ended_at IS NULL;

-- Whoever records a task of a group counts it in the group, and enters it among what it is found by.
CREATE TRIGGER tasks_join_their_group AFTER INSERT ON tasks WHEN new.group_name IS NOT NULL
BEGIN
  UPDATE groups SET total = total + 1 WHERE subject = new.subject AND name = new.group_name;
  INSERT INTO finds (term, subject, entry) VALUES ('group:' || new.group_name, new.subject, new.id);
END;

-- An end is counted, and a retry by hand takes it back. The last end of a group that is closed ends the group.
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
