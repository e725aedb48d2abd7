-- What happened in an hour, by service, subject and server. A row is added to in place: the numbers are JSON arrays
-- whose order `shared/statistics/tally.ts` fixes, so a new number at the end needs no migration.
CREATE TABLE statistics (
  kind TEXT NOT NULL CHECK (kind IN ('service', 'subject', 'server')),
  name TEXT NOT NULL,
  -- Hours since 1970, UTC.
  hour INTEGER NOT NULL,
  counts TEXT NOT NULL,
  deferrals TEXT NOT NULL,
  -- Durations: from acceptance to the first start, of a call, from acceptance to the end.
  start_histogram TEXT NOT NULL,
  call_histogram TEXT NOT NULL,
  total_histogram TEXT NOT NULL,
  PRIMARY KEY (kind, name, hour)
) WITHOUT ROWID;
