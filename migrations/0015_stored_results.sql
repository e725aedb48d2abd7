-- The result of a task that is too large for its row, as JSON: where it lies in the bucket, its type, size and etag.
ALTER TABLE tasks ADD COLUMN result_stored TEXT CHECK (result_stored IS NULL OR result IS NULL);
