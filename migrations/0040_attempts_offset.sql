-- The field's word for what it holds: the attempts that retries by hand wrote off. Workers that run while this is applied
-- cannot claim until their successors are there, and their messages come again.
ALTER TABLE tasks RENAME COLUMN base TO attempts_offset;
