-- Tasks that are submitted again and again (control database).
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
