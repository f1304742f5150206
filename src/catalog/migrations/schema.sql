-- The catalog's tables after migration 2; for readers, nothing runs it.
-- Made by: node src/catalog/migrations/schema-dump.test-helper.ts

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

CREATE TABLE erasure_hour (
  erasure_id TEXT NOT NULL REFERENCES erasure (id),
  hour INTEGER NOT NULL,
  rows TEXT NOT NULL, -- JSON: by data type, and rejected
  revision_before INTEGER, -- null: not published before
  hash_before TEXT,
  is_erased INTEGER NOT NULL, -- 0: begun, and to be done again after a crash
  PRIMARY KEY (erasure_id, hour)
) STRICT, WITHOUT ROWID;

CREATE TABLE erasure_visitors (
  erasure_id TEXT NOT NULL PRIMARY KEY, -- no reference: a table that has one is emptied row by row
  visitors TEXT NOT NULL -- JSON
) STRICT, WITHOUT ROWID;

CREATE TABLE manifest (
  ai TEXT NOT NULL,
  hour INTEGER NOT NULL,
  revision INTEGER NOT NULL,
  facts TEXT NOT NULL, -- JSON
  PRIMARY KEY (ai, hour, revision),
  FOREIGN KEY (ai, hour, revision) REFERENCES publication (ai, hour, revision)
) STRICT, WITHOUT ROWID;

CREATE TABLE migration (
  number INTEGER NOT NULL PRIMARY KEY,
  name TEXT NOT NULL,
  applied_at_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE package (
  ai TEXT NOT NULL,
  hour INTEGER NOT NULL,
  revision INTEGER NOT NULL,
  data_type INTEGER NOT NULL, -- place in DATA_TYPES
  part INTEGER NOT NULL,
  name TEXT NOT NULL,
  key TEXT NOT NULL, -- in the package store
  rows INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  md5 TEXT NOT NULL,
  sha256 TEXT NOT NULL,
  csv_sha256 TEXT NOT NULL,
  PRIMARY KEY (ai, hour, revision, data_type, part),
  FOREIGN KEY (ai, hour, revision) REFERENCES manifest (ai, hour, revision)
) STRICT, WITHOUT ROWID;

CREATE TABLE project (
  ai TEXT NOT NULL PRIMARY KEY,
  uid TEXT NOT NULL UNIQUE,
  client_id TEXT NOT NULL, -- not unique: two projects may share a public key
  secret TEXT NOT NULL, -- readable, because an HMAC cannot be checked against a hash
  name TEXT NOT NULL,
  export_enabled_at_ms INTEGER NOT NULL,
  created_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE project_version (
  id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
  version INTEGER NOT NULL
) STRICT;

CREATE TABLE publication (
  ai TEXT NOT NULL REFERENCES project (ai),
  seq INTEGER NOT NULL,
  hour INTEGER NOT NULL,
  revision INTEGER NOT NULL,
  prev TEXT NOT NULL, -- hash of seq - 1
  content_sha256 TEXT NOT NULL, -- of what was published
  hash TEXT NOT NULL,
  signature TEXT NOT NULL,
  published_at_ms INTEGER NOT NULL,
  PRIMARY KEY (ai, seq),
  UNIQUE (ai, hour, revision)
) STRICT, WITHOUT ROWID;

CREATE TABLE server_keys (
  id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
  link_key TEXT NOT NULL, -- hex
  signing_key_pem TEXT NOT NULL,
  public_key_pem TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE task (
  ai TEXT NOT NULL REFERENCES project (ai),
  hour INTEGER NOT NULL, -- whole hours since the Unix epoch
  status TEXT NOT NULL CHECK (status IN ('pending', 'running', 'finished', 'failed')),
  attempts INTEGER NOT NULL,
  run_at_ms INTEGER NOT NULL,
  claimable_at_ms INTEGER, -- pending: run_at_ms; running: end of the lease
  lease_id TEXT,
  error TEXT,
  PRIMARY KEY (ai, hour),
  CHECK ((claimable_at_ms IS NOT NULL) = (status IN ('pending', 'running'))),
  CHECK ((lease_id IS NOT NULL) = (status = 'running'))
) STRICT, WITHOUT ROWID;

CREATE TABLE token (
  id INTEGER NOT NULL PRIMARY KEY, -- in order of making
  hash TEXT NOT NULL UNIQUE, -- hex SHA-256
  ai TEXT NOT NULL REFERENCES project (ai),
  created_at_ms INTEGER NOT NULL,
  expires_at_ms INTEGER NOT NULL
) STRICT;

CREATE INDEX erasure_of_project ON erasure (ai, requested_at_ms);

CREATE INDEX erasure_status ON erasure (status);

CREATE INDEX task_status ON task (status);

CREATE INDEX task_unfinished ON task (hour, ai, claimable_at_ms) WHERE claimable_at_ms IS NOT NULL;

CREATE INDEX token_of_project ON token (ai, id);
