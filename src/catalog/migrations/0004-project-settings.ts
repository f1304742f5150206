/** Projects' settings over time, what retention has deleted of each project, and which rejected events were replayed. */
import type { UnnumberedMigration } from './migrate.ts';

export const projectSettings: UnnumberedMigration = {
  name: 'project-settings',
  sql: `
-- Every change of a setting that was ever made. The value for an hour is that of the last change, by (from_hour, id), up to it.
CREATE TABLE project_setting (
  id INTEGER NOT NULL PRIMARY KEY, -- in order of making
  ai TEXT NOT NULL REFERENCES project (ai),
  setting TEXT NOT NULL,
  value TEXT, -- JSON; null: the server's own option again
  from_hour INTEGER NOT NULL, -- the first hour in which it is in force
  changed_at_ms INTEGER NOT NULL,
  changed_by TEXT NOT NULL
) STRICT;
CREATE INDEX project_setting_of_project ON project_setting (ai, id);

-- How far retention has deleted: a longer retention brings nothing back.
CREATE TABLE project_retention (
  ai TEXT NOT NULL PRIMARY KEY REFERENCES project (ai),
  deleted_before INTEGER NOT NULL -- hour
) STRICT, WITHOUT ROWID;

-- Rejected events that were sent again. A row without sent_at_ms was begun by a process that may have died before it knew.
CREATE TABLE replayed_event (
  ai TEXT NOT NULL REFERENCES project (ai),
  hour INTEGER NOT NULL, -- in which it was rejected
  id TEXT NOT NULL, -- derived from the rejected record
  begun_hour INTEGER NOT NULL,
  sent_at_ms INTEGER,
  PRIMARY KEY (ai, hour, id)
) STRICT, WITHOUT ROWID;
`,
};
