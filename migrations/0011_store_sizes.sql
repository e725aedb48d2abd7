-- How large each store was at the first look of an hour: what says in how many days it is full. In the control
-- database alone.
CREATE TABLE store_sizes (
  hour INTEGER NOT NULL,
  store INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  PRIMARY KEY (hour, store)
) WITHOUT ROWID;
