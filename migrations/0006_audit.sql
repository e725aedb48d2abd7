-- Who changed what belongs to everybody or to somebody else, newest last. Kept for 400 days.
CREATE TABLE audit (
  -- Sorts by time.
  id TEXT PRIMARY KEY,
  at INTEGER NOT NULL,
  subject TEXT NOT NULL,
  role TEXT NOT NULL,
  -- What was done, such as `service.pause`.
  act TEXT NOT NULL,
  -- To what: a service, a task, a key.
  target TEXT NOT NULL,
  -- How many things it concerned.
  count INTEGER NOT NULL,
  before TEXT,
  after TEXT,
  request_id TEXT NOT NULL
) WITHOUT ROWID;
