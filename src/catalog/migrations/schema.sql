-- The catalog's tables after migration 7; for readers, nothing runs it.
-- Made by: node src/catalog/migrations/schema-dump.test-helper.ts

CREATE TABLE ads_label (
  id TEXT NOT NULL PRIMARY KEY, -- eight letters and digits
  ai TEXT NOT NULL REFERENCES project (ai),
  kind TEXT NOT NULL CHECK (kind IN ('campaign', 'channel')),
  name TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL,
  UNIQUE (ai, kind, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE ads_link (
  link_id TEXT NOT NULL PRIMARY KEY, -- eight letters and digits, never used again
  ai TEXT NOT NULL REFERENCES project (ai),
  name TEXT NOT NULL,
  target TEXT NOT NULL, -- where a click is sent to
  campaign_id TEXT REFERENCES ads_label (id),
  channel_id TEXT REFERENCES ads_label (id),
  product_id TEXT, -- kept for the client that sent it
  variables TEXT NOT NULL, -- JSON object of texts
  status TEXT NOT NULL CHECK (status IN ('activated', 'archived')),
  created_at_ms INTEGER NOT NULL,
  updated_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

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
, searched_owners INTEGER NOT NULL DEFAULT 0) STRICT, WITHOUT ROWID;

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
, owners TEXT NOT NULL DEFAULT '[]') STRICT, WITHOUT ROWID;

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

CREATE TABLE project_retention (
  ai TEXT NOT NULL PRIMARY KEY REFERENCES project (ai),
  deleted_before INTEGER NOT NULL -- hour
) STRICT, WITHOUT ROWID;

CREATE TABLE project_setting (
  id INTEGER NOT NULL PRIMARY KEY, -- in order of making
  ai TEXT NOT NULL REFERENCES project (ai),
  setting TEXT NOT NULL,
  value TEXT, -- JSON; null: the server's own option again
  from_hour INTEGER NOT NULL, -- the first hour in which it is in force
  changed_at_ms INTEGER NOT NULL,
  changed_by TEXT NOT NULL
) STRICT;

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

CREATE TABLE replayed_event (
  ai TEXT NOT NULL REFERENCES project (ai),
  hour INTEGER NOT NULL, -- in which it was rejected
  id TEXT NOT NULL, -- derived from the rejected record
  begun_hour INTEGER NOT NULL,
  sent_at_ms INTEGER,
  PRIMARY KEY (ai, hour, id)
) STRICT, WITHOUT ROWID;

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

CREATE TABLE rule_version (
  ai TEXT NOT NULL PRIMARY KEY REFERENCES project (ai),
  version INTEGER NOT NULL
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

CREATE UNIQUE INDEX ads_link_name ON ads_link (ai, name) WHERE status = 'activated';

CREATE INDEX erasure_of_project ON erasure (ai, requested_at_ms);

CREATE INDEX erasure_status ON erasure (status);

CREATE INDEX legacy_task_unfinished ON legacy_task (claimable_at_ms, run_at_ms, hour, ai)
  WHERE claimable_at_ms IS NOT NULL;

CREATE INDEX project_setting_of_project ON project_setting (ai, id);

CREATE INDEX rule_of_project ON rule (ai, id);

CREATE INDEX task_status ON task (status);

CREATE INDEX task_unfinished ON task (hour, ai, claimable_at_ms) WHERE claimable_at_ms IS NOT NULL;

CREATE INDEX token_of_project ON token (ai, id);
