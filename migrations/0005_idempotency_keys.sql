-- Keys under which a submission was made, so that a repeat of it is recognised. In the control database only.
-- WITHOUT ROWID and without an index: a task that brings a key pays one row.
CREATE TABLE idempotency_keys (
  subject TEXT NOT NULL,
  key TEXT NOT NULL,
  -- The task that was made under the key.
  id TEXT NOT NULL,
  -- Hashes of the submission's members, as JSON: enough to name what differs, and nothing of what was sent.
  fields TEXT NOT NULL,
  expires_at INTEGER NOT NULL,
  PRIMARY KEY (subject, key)
) WITHOUT ROWID;
