-- The service whose event wakes a parked task (rule R20): a server's return, the service resumed. `due_at` is
-- the fallback. Parked tasks alone enter the index.
ALTER TABLE tasks ADD COLUMN parked_for TEXT CHECK (parked_for IS NULL OR (status = 'deferred' AND due_at IS NOT NULL));

CREATE INDEX tasks_parked ON tasks (parked_for, id) WHERE parked_for IS NOT NULL;
