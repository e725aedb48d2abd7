-- One row a task; WITHOUT ROWID, so that a write is one row written, as in Tasklane's table.
CREATE TABLE tasks (id TEXT PRIMARY KEY, status TEXT NOT NULL, request TEXT, result TEXT) WITHOUT ROWID;
