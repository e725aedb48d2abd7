-- What an administrator said of API keys, wherever they are: a deploy may move one to another shard. In the control database.
-- A fingerprint is a salted hash; `disabled_at` is null of a key that was switched on again.
CREATE TABLE key_switches (
  fingerprint TEXT PRIMARY KEY,
  disabled_at INTEGER
) WITHOUT ROWID;
