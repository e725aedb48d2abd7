-- What people set at run time, and what rounds keep from one to the next: a few small documents, each written only
-- by whoever read its version. In the control database alone.
CREATE TABLE settings (
  name TEXT PRIMARY KEY,
  -- JSON.
  value TEXT NOT NULL,
  version INTEGER NOT NULL
) WITHOUT ROWID;

-- Messages that the platform gave up on, by hour. In the control database alone.
CREATE TABLE dead_letters (
  hour INTEGER PRIMARY KEY,
  messages INTEGER NOT NULL
) WITHOUT ROWID;
