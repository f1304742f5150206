/** What the 1.0 API's packages need: the tasks that make them, and what they made. */
import type { UnnumberedMigration } from './migrate.ts';

export const legacyExport: UnnumberedMigration = {
  name: 'legacy-export',
  sql: `
CREATE TABLE legacy_task (
  ai TEXT NOT NULL REFERENCES project (ai),
  hour INTEGER NOT NULL, -- whole hours since the Unix epoch
  status TEXT NOT NULL CHECK (status IN ('pending', 'running', 'finished', 'failed')),
  attempts INTEGER NOT NULL,
  run_at_ms INTEGER NOT NULL, -- failed: may be asked for again from then on
  claimable_at_ms INTEGER, -- pending: run_at_ms; running: end of the lease
  lease_id TEXT,
  error TEXT,
  revision INTEGER, -- the hour's revision that its packages were made from last
  PRIMARY KEY (ai, hour),
  CHECK ((claimable_at_ms IS NOT NULL) = (status IN ('pending', 'running'))),
  CHECK ((lease_id IS NOT NULL) = (status = 'running'))
) STRICT, WITHOUT ROWID;
CREATE INDEX legacy_task_unfinished ON legacy_task (claimable_at_ms, run_at_ms, hour, ai)
  WHERE claimable_at_ms IS NOT NULL;

CREATE TABLE legacy_package (
  ai TEXT NOT NULL REFERENCES project (ai),
  hour INTEGER NOT NULL,
  revision INTEGER NOT NULL,
  data_type INTEGER NOT NULL, -- place in LEGACY_TABLES
  part INTEGER NOT NULL,
  name TEXT NOT NULL,
  key TEXT NOT NULL, -- in the package store
  rows INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  md5 TEXT NOT NULL,
  sha256 TEXT NOT NULL,
  csv_sha256 TEXT NOT NULL,
  PRIMARY KEY (ai, hour, revision, data_type, part)
) STRICT, WITHOUT ROWID;
`,
};
