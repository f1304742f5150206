/** Tagging rules. */
import type { UnnumberedMigration } from './migrate.ts';

export const rules: UnnumberedMigration = {
  name: 'rules',
  sql: `
CREATE TABLE rule (
  id INTEGER NOT NULL PRIMARY KEY, -- in order of making
  ai TEXT NOT NULL REFERENCES project (ai),
  rule_id TEXT NOT NULL, -- 8 hex digits
  name TEXT NOT NULL,
  type TEXT NOT NULL CHECK (type IN ('page', 'clck', 'chng', 'sbmt')),
  domain TEXT, -- here and below: null fits everything
  path TEXT,
  query TEXT,
  xpath TEXT,
  place INTEGER, -- the condition index
  value TEXT,
  href TEXT,
  UNIQUE (ai, rule_id)
) STRICT;
CREATE INDEX rule_of_project ON rule (ai, id);

-- One row for each project that has or had rules, counted up with every change of them.
CREATE TABLE rule_version (
  ai TEXT NOT NULL PRIMARY KEY REFERENCES project (ai),
  version INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
`,
};
