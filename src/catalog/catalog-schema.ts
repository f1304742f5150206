/**
 * The catalog's tables as the queries see them; migrations/schema.sql is the same for the database.
 *
 * Instants and hours are integers, and every statement of the table files is common to SQLite and PostgreSQL.
 */
import type { Generated } from 'kysely';
import type { RuleType } from '../rules/rule.ts';
import type { TaskStatus } from './catalog.ts';
import type { AdsLabelKind } from './tracking-link.ts';

export type CatalogSchema = {
  readonly project: ProjectRow;
  /** One row, counted up with every change of `project`, so that a cache learns of it without reading the table. */
  readonly project_version: { readonly id: number; readonly version: number };
  readonly token: TokenRow;
  readonly rule: RuleRow;
  /** Counted up with every change of a project's rules, so that a cache reads no others. Absent where there never were any. */
  readonly rule_version: { readonly ai: string; readonly version: number };
  readonly task: TaskRow;
  readonly publication: PublicationRow;
  readonly manifest: ManifestRow;
  readonly package: PackageRow;
  readonly server_keys: ServerKeysRow;
  readonly legacy_task: LegacyTaskRow;
  readonly legacy_package: PackageRow;
  readonly project_setting: ProjectSettingRow;
  readonly project_retention: ProjectRetentionRow;
  readonly replayed_event: ReplayedEventRow;
  readonly ads_label: AdsLabelRow;
  readonly ads_link: AdsLinkRow;
  readonly erasure: ErasureRow;
  readonly erasure_visitors: ErasureVisitorsRow;
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

/** A tagging rule. Conditions that are null fit everything. */
type RuleRow = {
  /** Counts up, so that rules have an age and a list can be read in pages. */
  readonly id: Generated<number>;
  readonly ai: string;
  readonly rule_id: string;
  readonly name: string;
  readonly type: RuleType;
  readonly domain: string | null;
  readonly path: string | null;
  readonly query: string | null;
  readonly xpath: string | null;
  /** The condition `index`, which SQL would not have for a name. */
  readonly place: number | null;
  readonly value: string | null;
  readonly href: string | null;
};

/** The columns of a rule under the names of the type `ListedRule`. */
export const RULE_COLUMNS = [
  'rule.id as number',
  'rule.rule_id as ruleId',
  'rule.name',
  'rule.type',
  'rule.domain',
  'rule.path',
  'rule.query',
  'rule.xpath',
  'rule.place as index',
  'rule.value',
  'rule.href',
] as const;

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
  /** Place in DATA_TYPES; in `legacy_package` in LEGACY_TABLES. */
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

/** The making of an hour's 1.0 packages. */
type LegacyTaskRow = TaskRow & {
  /** Of what its packages were made from last; null until they were. */
  readonly revision: number | null;
};

type ServerKeysRow = {
  readonly id: number;
  readonly link_key: string;
  readonly signing_key_pem: string;
  readonly public_key_pem: string;
  readonly created_at_ms: number;
};

/** One change of one setting; rows are only ever added. */
export type ProjectSettingRow = {
  readonly id: Generated<number>;
  readonly ai: string;
  readonly setting: string;
  /** JSON; null gives the setting back to the server's option. */
  readonly value: string | null;
  readonly from_hour: number;
  readonly changed_at_ms: number;
  readonly changed_by: string;
};

type ProjectRetentionRow = { readonly ai: string; readonly deleted_before: number };

type ReplayedEventRow = {
  readonly ai: string;
  readonly hour: number;
  readonly id: string;
  readonly begun_hour: number;
  readonly sent_at_ms: number | null;
};

/** A campaign or a channel. */
type AdsLabelRow = {
  readonly id: string;
  readonly ai: string;
  readonly kind: AdsLabelKind;
  readonly name: string;
  readonly created_at_ms: number;
};

type AdsLinkRow = {
  readonly link_id: string;
  readonly ai: string;
  readonly name: string;
  readonly target: string;
  readonly campaign_id: string | null;
  readonly channel_id: string | null;
  readonly product_id: string | null;
  /** JSON of a map of texts. */
  readonly variables: string;
  readonly status: 'activated' | 'archived';
  readonly created_at_ms: number;
  readonly updated_at_ms: number;
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
  readonly searched_owners: Generated<number>;
};

type ErasureVisitorsRow = {
  readonly erasure_id: string;
  /** JSON. */
  readonly visitors: string;
  /** JSON of ClickOwner. */
  readonly owners: Generated<string>;
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
