-- Lines are served by turns: the place of a task is given when it is parked (`shared/store/turns.ts`), and a release
-- takes the lowest places. Kept until the task waits for something else, because who was released and finds no room
-- goes back to where it stood.
ALTER TABLE tasks ADD COLUMN place INTEGER;

DROP INDEX tasks_parked;
CREATE INDEX tasks_parked ON tasks (parked_for, place) WHERE parked_for IS NOT NULL;

-- The next place of each submitter in a line, by priority.
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
