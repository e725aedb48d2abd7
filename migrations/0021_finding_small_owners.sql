-- The first four tasks of a subject in a span of 262 seconds are entered by their ids, so that who has few is led to
-- each of them; a fifth enters the span itself, once, and all of the subject's tasks in it are looked for there.
--   term ''                 entry: an id, or the first ten characters of ids: the span in which there are more
-- A subject writes at most five rows in a span, however many tasks it has there. What was entered before is a span.
DROP TRIGGER tasks_found_by_subject;

CREATE TRIGGER tasks_found_by_subject AFTER INSERT ON tasks
WHEN NOT EXISTS (SELECT 1 FROM finds WHERE term = '' AND subject = new.subject AND entry = substr(new.id, 1, 10))
BEGIN
  INSERT OR IGNORE INTO finds (term, subject, entry)
  SELECT '', new.subject, CASE WHEN count(*) < 4 THEN new.id ELSE substr(new.id, 1, 10) END
  FROM finds WHERE term = '' AND subject = new.subject AND entry > substr(new.id, 1, 10) AND entry < substr(new.id, 1, 10) || '~';
END;
