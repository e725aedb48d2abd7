-- Messages about the end of tasks. A message is a task of its own (service `webhook:…`), and the statement that ends a task
-- writes it: whatever crashes after that statement, the message is there, once, and its `due_at` carries it (rule R24).
-- A task without a hook pays for none of this.

-- Whom its end is told to, as JSON (`shared/webhook/hook.ts`).
ALTER TABLE tasks ADD COLUMN on_complete TEXT;
-- The group that it belongs to, by the name that its owner gave.
ALTER TABLE tasks ADD COLUMN group_name TEXT;

-- Whoever inserts here makes the task that delivers a message. Attempts: for three days, five seconds apart at first and four
-- hours at most; a minute after `at` the sweeper sends the wake-up that did not come.
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

-- Whoever inserts the id of a task that has ended here has its end told, where its hook asks for it. The message is named after
-- the task; one that is retried by hand and ends again is told of again.
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

CREATE TRIGGER tasks_end_is_told AFTER UPDATE OF status ON tasks
WHEN new.on_complete IS NOT NULL AND old.finished_at IS NULL AND new.finished_at IS NOT NULL AND json_valid(new.on_complete)
BEGIN
  INSERT INTO task_ends (id) VALUES (new.id);
END;

-- Recorded when it had ended: its message came past its deadline.
CREATE TRIGGER tasks_late_end_is_told AFTER INSERT ON tasks
WHEN new.on_complete IS NOT NULL AND new.finished_at IS NOT NULL AND json_valid(new.on_complete)
BEGIN
  INSERT INTO task_ends (id) VALUES (new.id);
END;

-- Cancelled before its first message arrived: the claim tells the tombstone what it did not know.
CREATE TRIGGER tasks_tombstone_is_told AFTER UPDATE OF service ON tasks
WHEN new.on_complete IS NOT NULL AND old.service = '' AND new.service <> '' AND new.finished_at IS NOT NULL AND json_valid(new.on_complete)
BEGIN
  INSERT INTO task_ends (id) VALUES (new.id);
END;
