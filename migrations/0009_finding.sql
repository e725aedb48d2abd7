-- The caller's own number of a task.
ALTER TABLE tasks ADD COLUMN ref TEXT;

-- What tasks are found by, beside their id: an entry says that the term leads to a task of the subject.
--   term ''                 entry: the first ten characters of an id, which are a span of 262 seconds. The subject has
--                           a task there: who pages through its own tasks skips the spans in which it has none.
--   term 'ref:REF'          entry: the id of a task with this ref
--   term 'label:NAME:VALUE' entry: the id of a task with this label
-- Written by triggers, so that no insert of a task forgets it: one row for a subject and a span, however many tasks it
-- has there, and one row for each ref and label that a task brings.
CREATE TABLE finds (
  term TEXT NOT NULL,
  subject TEXT NOT NULL,
  entry TEXT NOT NULL,
  PRIMARY KEY (term, subject, entry)
) WITHOUT ROWID;

CREATE TRIGGER tasks_found_by_subject AFTER INSERT ON tasks
BEGIN
  INSERT OR IGNORE INTO finds (term, subject, entry) VALUES ('', new.subject, substr(new.id, 1, 10));
END;

CREATE TRIGGER tasks_found_by_ref AFTER INSERT ON tasks WHEN new.ref IS NOT NULL
BEGIN
  INSERT OR IGNORE INTO finds (term, subject, entry) VALUES ('ref:' || new.ref, new.subject, new.id);
END;

CREATE TRIGGER tasks_found_by_label AFTER INSERT ON tasks WHEN new.labels IS NOT NULL
BEGIN
  INSERT OR IGNORE INTO finds (term, subject, entry)
  SELECT 'label:' || key || ':' || value, new.subject, new.id FROM json_each(new.labels);
END;

-- The claim tells a tombstone what it did not know.
CREATE TRIGGER tasks_found_later AFTER UPDATE OF service ON tasks WHEN old.service = '' AND new.service <> ''
BEGIN
  INSERT OR IGNORE INTO finds (term, subject, entry)
  SELECT 'ref:' || new.ref, new.subject, new.id WHERE new.ref IS NOT NULL
  UNION ALL
  SELECT 'label:' || key || ':' || value, new.subject, new.id FROM json_each(coalesce(new.labels, '{}'));
END;

INSERT OR IGNORE INTO finds (term, subject, entry) SELECT '', subject, substr(id, 1, 10) FROM tasks;
INSERT OR IGNORE INTO finds (term, subject, entry)
SELECT 'label:' || label.key || ':' || label.value, tasks.subject, tasks.id FROM tasks, json_each(tasks.labels) AS label WHERE tasks.labels IS NOT NULL;
