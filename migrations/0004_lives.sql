-- The bodies of an ended task (request, result, timeline) live shorter than its row; this is when they went.
ALTER TABLE tasks ADD COLUMN bodies_deleted_at INTEGER CHECK (bodies_deleted_at IS NULL OR finished_at IS NOT NULL);

-- The text of the request's body as it is; `request` holds the rest as JSON. The largest column stands last.
ALTER TABLE tasks ADD COLUMN request_body TEXT;
