-- How long the task was given when it was submitted, in milliseconds; written by the first manual retry, which gives
-- it as long again. Absent: `deadline_at` still says it.
ALTER TABLE tasks ADD COLUMN life_ms INTEGER;
