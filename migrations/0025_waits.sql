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

-- How long waits were, by reason: a histogram behind the other, in the order that `shared/statistics/tally.ts` fixes.
ALTER TABLE statistics ADD COLUMN wait_histograms TEXT NOT NULL DEFAULT '[]';

-- What shards last said of their API keys: with many shards not all are asked at once (`shared/store/key-reports.ts`).
CREATE TABLE key_reports (
  shard INTEGER PRIMARY KEY,
  asked_at INTEGER NOT NULL,
  told_at INTEGER NOT NULL,
  keys TEXT
);
