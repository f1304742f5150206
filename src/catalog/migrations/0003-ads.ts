/** Campaigns, channels and tracking links. */
import type { UnnumberedMigration } from './migrate.ts';

export const adsTables: UnnumberedMigration = {
  name: 'ads',
  sql: `
-- Campaigns and channels: names that links carry into their clicks.
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

-- The name of a link that was removed is free again.
CREATE UNIQUE INDEX ads_link_name ON ads_link (ai, name) WHERE status = 'activated';
`,
};
