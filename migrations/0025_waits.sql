-- What waits is counted by service and reason: the index of the lines holds both, so that a count reads no row of the
-- table. Neither changes while a task stands in a line, so that entering one still writes one row.
DROP INDEX tasks_parked;
CREATE INDEX tasks_parked ON tasks (parked_for, place, id, service, reason) WHERE parked_for IS NOT NULL;

-- A pool's shards each pull from its line: its pace is the sum of theirs. By shard, `[tasks a second, Unix ms]`;
-- `per_second` is the sum of those that are not old.
ALTER TABLE lines ADD COLUMN rates TEXT;

-- Since when a task that is put off has waited; kept by the claim that ends the wait, as is the reason, so that the
-- claim can say how long it was.
ALTER TABLE tasks ADD COLUMN waits_since INTEGER;

-- How long waits were, by reason, and how long stores and queues took to do their work, beside what was counted before.
-- A check of a column cannot be changed in place.
CREATE TABLE new_statistics (
  kind TEXT NOT NULL CHECK (kind IN ('service', 'subject', 'server', 'store', 'queue')),
  name TEXT NOT NULL,
  -- Hours since 1970, UTC.
  hour INTEGER NOT NULL,
  counts TEXT NOT NULL,
  deferrals TEXT NOT NULL,
  -- Durations: from acceptance to the first start, of a call, from acceptance to the end.
  start_histogram TEXT NOT NULL,
  call_histogram TEXT NOT NULL,
  total_histogram TEXT NOT NULL,
  -- How often a wait for a reason was in a bucket: `{ "no-key 7": 3 }`.
  waits TEXT NOT NULL DEFAULT '{}',
  PRIMARY KEY (kind, name, hour)
) WITHOUT ROWID;
INSERT INTO new_statistics (kind, name, hour, counts, deferrals, start_histogram, call_histogram, total_histogram)
  SELECT kind, name, hour, counts, deferrals, start_histogram, call_histogram, total_histogram FROM statistics;
DROP TABLE statistics;
ALTER TABLE new_statistics RENAME TO statistics;

-- What shards last said of their API keys: with many shards not all are asked at once (`shared/store/key-reports.ts`).
CREATE TABLE key_reports (
  shard INTEGER PRIMARY KEY,
  asked_at INTEGER NOT NULL,
  told_at INTEGER NOT NULL,
  keys TEXT
);
