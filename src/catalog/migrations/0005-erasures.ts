/** Erasures of visitors: what is to be erased, what was, and the certificates. */
import type { UnnumberedMigration } from './migrate.ts';

export const erasures: UnnumberedMigration = {
  name: 'erasures',
  sql: `
CREATE TABLE erasure (
  id TEXT NOT NULL PRIMARY KEY, -- 24 hex digits, drawn
  ai TEXT NOT NULL REFERENCES project (ai),
  requested_at_ms INTEGER NOT NULL,
  until_ms INTEGER NOT NULL, -- rows of a later send time stay
  status TEXT NOT NULL CHECK (status IN ('pending', 'erased', 'done')),
  visitors INTEGER NOT NULL, -- how many
  visitor_hashes TEXT NOT NULL, -- JSON; keyed by the project's secret
  next_hour INTEGER NOT NULL, -- hours before it were looked through
  failed_hours TEXT NOT NULL, -- JSON; hours before next_hour that could not be
  last_hour INTEGER NOT NULL, -- the hour of until_ms, or one before it where that holds nothing
  error TEXT,
  certificate TEXT -- JSON, when done
) STRICT, WITHOUT ROWID;
CREATE INDEX erasure_of_project ON erasure (ai, requested_at_ms);
CREATE INDEX erasure_status ON erasure (status);

-- The ids in clear text, until nothing holds them any more. A table of its own: emptied as a whole, its pages are overwritten.
CREATE TABLE erasure_visitors (
  erasure_id TEXT NOT NULL PRIMARY KEY, -- no reference: a table that has one is emptied row by row
  visitors TEXT NOT NULL -- JSON
) STRICT, WITHOUT ROWID;

-- The hours in which an erasure found something.
CREATE TABLE erasure_hour (
  erasure_id TEXT NOT NULL REFERENCES erasure (id),
  hour INTEGER NOT NULL,
  rows TEXT NOT NULL, -- JSON: by data type, and rejected
  revision_before INTEGER, -- null: not published before
  hash_before TEXT,
  is_erased INTEGER NOT NULL, -- 0: begun, and to be done again after a crash
  PRIMARY KEY (erasure_id, hour)
) STRICT, WITHOUT ROWID;
`,
};
