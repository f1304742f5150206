/**
 * The catalog's tables as the queries see them; migrations/schema.sql is the same for the database.
 *
 * Instants and hours are integers, and every statement of the table files is common to SQLite and PostgreSQL.
 */
import type { Generated } from 'kysely';
import type { TaskStatus } from './catalog.ts';

export type CatalogSchema = {
  readonly project: ProjectRow;
  /** One row, counted up with every change of `project`, so that a cache learns of it without reading the table. */
  readonly project_version: { readonly id: number; readonly version: number };
  readonly token: TokenRow;
  readonly task: TaskRow;
  readonly publication: PublicationRow;
  readonly manifest: ManifestRow;
  readonly package: PackageRow;
  readonly server_keys: ServerKeysRow;
  readonly erasure: ErasureRow;
  readonly erasure_visitors: { readonly erasure_id: string; readonly visitors: string };
  readonly erasure_hour: ErasureHourRow;
};

type ProjectRow = {
  readonly ai: string;
  readonly uid: string;
  readonly client_id: string;
  readonly secret: string;
  readonly name: string;
  readonly export_enabled_at_ms: number;
  readonly created_at_ms: number;
};

/** The columns of a project under the names of the type `Project`. */
export const PROJECT_COLUMNS = [
  'project.ai',
  'project.uid',
  'project.client_id as clientId',
  'project.secret',
  'project.name',
  'project.export_enabled_at_ms as exportEnabledAtMs',
  'project.created_at_ms as createdAtMs',
] as const;

type TokenRow = {
  /** Counts up, so that the order of making does not depend on the clock. */
  readonly id: Generated<number>;
  readonly hash: string;
  readonly ai: string;
  readonly created_at_ms: number;
  readonly expires_at_ms: number;
};

type TaskRow = {
  readonly ai: string;
  readonly hour: number;
  readonly status: TaskStatus;
  readonly attempts: number;
  readonly run_at_ms: number;
  /** When a worker may next take it: run_at_ms while pending, the end of the lease while running, null when it has ended. */
  readonly claimable_at_ms: number | null;
  readonly lease_id: string | null;
  readonly error: string | null;
};

/** An entry of a project's publication log; it stays when retention deletes what was published. */
type PublicationRow = {
  readonly ai: string;
  readonly seq: number;
  readonly hour: number;
  readonly revision: number;
  readonly prev: string;
  readonly content_sha256: string;
  readonly hash: string;
  readonly signature: string;
  readonly published_at_ms: number;
};

/** The facts of a published revision, until retention. */
type ManifestRow = {
  readonly ai: string;
  readonly hour: number;
  readonly revision: number;
  /** JSON of `ManifestFacts`. */
  readonly facts: string;
};

export type PackageRow = {
  readonly ai: string;
  readonly hour: number;
  readonly revision: number;
  /** Place in DATA_TYPES. */
  readonly data_type: number;
  readonly part: number;
  readonly name: string;
  readonly key: string;
  readonly rows: number;
  readonly bytes: number;
  readonly md5: string;
  readonly sha256: string;
  readonly csv_sha256: string;
};

type ServerKeysRow = {
  readonly id: number;
  readonly link_key: string;
  readonly signing_key_pem: string;
  readonly public_key_pem: string;
  readonly created_at_ms: number;
};

type ErasureRow = {
  readonly id: string;
  readonly ai: string;
  readonly requested_at_ms: number;
  readonly until_ms: number;
  readonly status: 'pending' | 'erased' | 'done';
  readonly visitors: number;
  /** JSON. */
  readonly visitor_hashes: string;
  readonly next_hour: number;
  /** JSON. */
  readonly failed_hours: string;
  readonly last_hour: number;
  readonly error: string | null;
  /** JSON. */
  readonly certificate: string | null;
};

type ErasureHourRow = {
  readonly erasure_id: string;
  readonly hour: number;
  /** JSON. */
  readonly rows: string;
  readonly revision_before: number | null;
  readonly hash_before: string | null;
  /** 0 or 1. */
  readonly is_erased: number;
};
