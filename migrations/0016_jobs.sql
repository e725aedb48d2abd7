-- What is done to many tasks at once: cancel, redrive, purge, by filter (control database).
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

-- How far a job is in this store. It moves in one transaction with the tasks of a chunk.
CREATE TABLE job_progress (
  job TEXT PRIMARY KEY,
  -- Ids below this one are still to be looked at; empty at the end.
  position TEXT NOT NULL,
  -- Tasks that were found, and those of them that were moved: the others were no longer as the job needs them.
  seen INTEGER NOT NULL,
  done INTEGER NOT NULL
) WITHOUT ROWID;

-- Until when starts of redriven tasks are given away, by service (control database).
CREATE TABLE redrive_starts (
  service TEXT PRIMARY KEY,
  until REAL NOT NULL
) WITHOUT ROWID;
