-- Tasks of a subject that has few among many are entered by their ids, so that its page reads them and nobody else's.
--   term ''                 entry: an id, or the first ten characters of ids: a span of 262 seconds in which the subject
--                           has tasks that are not entered by their ids
-- Who has two of the two hundred tasks before, or four ids in the span, enters the span, once: its tasks are found soon
-- by walking there. So a subject writes one row in a span, or one for each task, but five at most. Entries from before
-- are spans.
DROP TRIGGER tasks_found_by_subject;

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
