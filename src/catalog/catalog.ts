/**
 * The catalog: who (projects, tokens), what (manifests, packages) and when (export tasks); never an event's body.
 *
 * Several processes of one machine share it: the server and the CLI. What one has committed, the next call of any other sees.
 * Implementations: `open-catalog.ts` (node:sqlite, one machine).
 */
import type { DataType } from '../events/data-types.ts';
import type { Hour, HourRange } from '../events/hour.ts';
import type { Rule, RuleDraft } from '../rules/rule.ts';
import type { RuleSet } from '../rules/rule-set.ts';
import type { ErasureTable } from './erasures.ts';
import type { LegacyExportTable } from './legacy-export.ts';
import type { PackageSettings, SettingName, SettingValues } from './project-settings.ts';
import type { SettingChange, SettingTimeline } from './setting-timeline.ts';
import type { LinkTable } from './tracking-link.ts';

/** One customer's data and the keys to it. */
export type Project = {
  /** Public id in collector and export paths: `[0-9A-Za-z-]{1,64}`. */
  readonly ai: string;
  /** Eight letters and digits; called `project` in the token call. */
  readonly uid: string;
  /** Public key, sent as X-Client-Id. */
  readonly clientId: string;
  /** Key of the token call's HMAC-SHA256. Kept readable, because an HMAC cannot be checked against a hash. */
  readonly secret: string;
  readonly name: string;
  /** Hours that end after this instant can be exported. */
  readonly exportEnabledAtMs: number;
  readonly createdAtMs: number;
};

export interface ProjectTable {
  /**
   * Stores a project; durable and visible to every process when it returns.
   * @throws AppError project_exists when another has its ai or uid; bad_request when a key is malformed
   */
  create(project: Project): Promise<void>;
  /** Lists all projects, oldest first. */
  list(): Promise<readonly Project[]>;
  /** Finds a project by its ai. Synchronous, from memory, and never older than the last commit of any process. */
  findByAi(ai: string): Project | undefined;
  /**
   * As `findByAi`, but looks for commits once in a turn of the event loop only, or once in a millisecond of a long one: for requests,
   * many of which are read in one turn. A client that has been answered of a new project before it sent its request finds it.
   */
  findInTurn(ai: string): Project | undefined;
  /** Finds a project by its uid. As fresh as `findByAi`. */
  findByUid(uid: string): Project | undefined;
}

export interface SettingTable {
  /**
   * Gives a project's settings over time. Synchronous, from memory, and as fresh as `ProjectTable.findByAi`. Of an unknown project
   * no hour can be exported.
   */
  of(ai: string): SettingTimeline;
  /**
   * As `of`, but as fresh as the last question to the projects or settings was: for a request that has asked for its project, and
   * need not pay for the look at the disk again.
   */
  known(ai: string): SettingTimeline;
  /**
   * Records changes that are in force from this hour on; durable and seen by every process when it returns. The caller sees to it
   * that the hour has not begun. @throws AppError unknown_project; bad_request when a value does not fit
   */
  change(
    ai: string,
    change: {
      readonly values: { readonly [Name in SettingName]?: SettingValues[Name] | null };
      readonly fromHour: Hour;
      readonly nowMs: number;
      readonly by: string;
    },
  ): Promise<void>;
  /** Lists every change of a project's settings in the order of making. */
  history(ai: string): Promise<readonly SettingChange[]>;
  /** Remembers that retention deletes the hours before this one, before it does; never goes back. */
  markDeletedBefore(ai: string, hour: Hour): Promise<void>;
}

/** What is remembered of a rejected event that was replayed. */
export type ReplayedEvent = {
  /** The hour that was open when its replay began. */
  readonly begunHour: Hour;
  /** Its new send time; null when a process died before it knew. */
  readonly sentAtMs: number | null;
};

export interface ReplayTable {
  /** Finds which of these rejected events of an hour were replayed. */
  find(ai: string, hour: Hour, ids: readonly string[]): Promise<ReadonlyMap<string, ReplayedEvent>>;
  /** Remembers that a replay of these begins; those that began before keep the hour in which they did. */
  begin(
    ai: string,
    events: { readonly hour: Hour; readonly ids: readonly string[]; readonly begunHour: Hour },
  ): Promise<void>;
  /** Remembers that these came in. */
  finish(ai: string, hour: Hour, ids: readonly string[], sentAtMs: number): Promise<void>;
  /** Forgets those of hours before this one. */
  deleteBefore(ai: string, hour: Hour): Promise<void>;
}

export interface TokenTable {
  /**
   * Makes a token: 64 letters and digits, stored only as a SHA-256 hash, living 30 days. Older tokens of the project go on
   * living, but only the newest 20 do.
   * @throws AppError unknown_project
   */
  create(ai: string, nowMs: number): Promise<string>;
  /** Finds the project that a living token belongs to; undefined when there is none. */
  findProject(token: string, nowMs: number): Promise<Project | undefined>;
}

/** A rule with its number, which counts up over all projects: a list goes by it, from the oldest rule to the newest. */
export type ListedRule = Rule & { readonly number: number };

/** A rule that is to be made, or to take the place of the one that has its id. */
export type ImportedRule = RuleDraft & { readonly ruleId?: string | undefined };

export interface RuleTable {
  /** Makes a rule and draws its id. In force for every process when it returns. @throws AppError rule_limit, unknown_project */
  create(ai: string, rule: RuleDraft): Promise<Rule>;
  /** Makes or replaces many rules, all or none. @throws AppError rule_limit, unknown_project */
  import(ai: string, rules: readonly ImportedRule[]): Promise<readonly Rule[]>;
  /** Changes a rule; tags that it has given stay. @throws AppError rule_limit, unknown_rule */
  replace(ai: string, ruleId: string, rule: RuleDraft): Promise<Rule>;
  /** Deletes a rule; tags that it has given stay. @throws AppError unknown_rule */
  delete(ai: string, ruleId: string): Promise<void>;
  /** Finds a rule; undefined when the project has none of this id. */
  find(ai: string, ruleId: string): Promise<Rule | undefined>;
  /** Lists a project's rules, oldest first: all, or at most `limit` from the one numbered `from` on. */
  list(ai: string, page?: { readonly from: number; readonly limit: number }): Promise<readonly ListedRule[]>;
  /**
   * Gives a project's rules compiled. Synchronous, from memory, and never older than what the last call of `findByAi` or
   * `findByUid` has seen: whoever takes an event has asked for its project just before.
   */
  rulesOf(ai: string): RuleSet;
}

export type TaskStatus = 'pending' | 'running' | 'finished' | 'failed';

/** The export of one project's hour. There is at most one task for a project and hour; an import makes it pending again. */
export type ExportTask = {
  readonly ai: string;
  readonly hour: Hour;
  readonly status: TaskStatus;
  /** Tries begun since the task last became pending. */
  readonly attempts: number;
  /** Not claimed before this instant. */
  readonly runAtMs: number;
  /** What went wrong last, in a sentence a person can act on; null when nothing did. */
  readonly error: string | null;
};

/** A task that this process may work on until the lease ends. `leaseId` is new with every claim. */
export type ClaimedTask = ExportTask & { readonly leaseId: string };

export interface TaskTable {
  /** Makes a pending task for each hour of the range that has none for this project. Returns how many were made. */
  ensure(ai: string, hours: HourRange, nowMs: number): Promise<number>;
  /** Makes the tasks of these hours pending again, or for the first time, with no attempts; a running one loses its lease. */
  restart(ai: string, hours: readonly Hour[], nowMs: number): Promise<void>;
  /**
   * Takes the oldest due task (by hour) that is pending, or running with an ended lease, and counts an attempt.
   * With `ai` and `hours` only tasks of these are taken. Undefined when none is due.
   */
  claim(claim: {
    readonly nowMs: number;
    readonly leaseMs: number;
    readonly ai?: string;
    readonly hours?: readonly Hour[];
  }): Promise<ClaimedTask | undefined>;
  /** Makes the lease last until `untilMs`. False when the lease is no longer this caller's: it must stop its work. */
  extend(task: ClaimedTask, untilMs: number): Promise<boolean>;
  /** Gives a failed try back: pending again from `runAtMs`. Does nothing when the lease is lost. */
  retryLater(task: ClaimedTask, runAtMs: number, error: string): Promise<void>;
  /** Gives a task back as if it had not been claimed: pending, the attempt not counted. Does nothing when the lease is lost. */
  release(task: ClaimedTask, nowMs: number): Promise<void>;
  /** Ends a task for good: status failed. Does nothing when the lease is lost. */
  fail(task: ClaimedTask, error: string): Promise<void>;
  /** Lists the tasks of a project in a range of hours, in hour order. */
  list(ai: string, hours: HourRange): Promise<readonly ExportTask[]>;
  /** Counts all tasks by status, for /metrics. */
  countByStatus(): Promise<Readonly<Record<TaskStatus, number>>>;
  /** Lists the hours before this one in which a project's task is not finished. */
  listUnfinishedBefore(
    hour: Hour,
  ): Promise<readonly { readonly ai: string; readonly hour: Hour; readonly isFailed: boolean }[]>;
  /** Deletes the tasks of hours before this one, but for these hours. With `ai` only those of this project. */
  deleteBefore(hour: Hour, kept: readonly Hour[], ai?: string): Promise<void>;
}

/** One published package, as the manifest describes it. */
export type PackageEntry<Table extends string = DataType> = {
  readonly dataType: Table;
  /** Place among the packages of its data type and hour, from 0. */
  readonly part: number;
  /** File name, `part-00000-{uuid}-c000.csv.gz`. */
  readonly name: string;
  /** Where the package store keeps it. */
  readonly key: string;
  readonly rows: number;
  /** Compressed bytes. */
  readonly bytes: number;
  /** Hex MD5 of the compressed file. */
  readonly md5: string;
  /** Hex SHA-256 of the compressed file. */
  readonly sha256: string;
  /** Hex SHA-256 of the uncompressed CSV, header line included; the same on every codec. */
  readonly csvSha256: string;
};

/** The two balances of one project's hour; src/exports/ledger.ts says what they mean. Lines and types without events are absent. */
export type Ledger = {
  readonly events: Readonly<
    Record<
      string,
      {
        readonly received: number;
        readonly accepted: number;
        readonly rejected: number;
        readonly ignored: number;
        readonly erased?: number;
      }
    >
  >;
  readonly rows: Readonly<
    Record<
      string,
      { readonly made: number; readonly exported: number; readonly duplicates: number; readonly erased?: number }
    >
  >;
  /** How many of the events came by import. */
  readonly imported: number;
  /** How many of the events had been rejected and were sent again by `tidegate rejected replay`; absent when none was. */
  readonly replayed?: number;
};

/** What a manifest says besides its packages; the exporter fills it, the catalog keeps it as it is. */
export type ManifestFacts = {
  /** 2 since there are settings. */
  readonly schemaVersion: 1 | 2;
  /** The compressor whose bytes these are, such as `isa-l 2.30.0 level 1`. */
  readonly codec: string;
  /** What the packages were made with; of version 2. */
  readonly settings?: PackageSettings;
  readonly ledger: Ledger;
};

/** One published revision of one project's hour. */
export type Manifest = {
  readonly ai: string;
  readonly hour: Hour;
  /** 1 for the first publication of the hour, then counting up. */
  readonly revision: number;
  /** Place in the project's publication log, from 1. */
  readonly seq: number;
  /** Hex hash of the log's entry before this one; 64 zeros for the first. */
  readonly prev: string;
  /** Hex SHA-256 of what the manifest says: its facts and packages. */
  readonly contentSha256: string;
  /** Hex SHA-256 of this entry of the log. */
  readonly hash: string;
  /** Hex Ed25519 signature of `hash` by the server's key. */
  readonly signature: string;
  readonly publishedAtMs: number;
  readonly facts: ManifestFacts;
  readonly packages: readonly PackageEntry[];
};

/** One entry of a project's publication log; it stays when retention deletes what was published. */
export type Publication = Omit<Manifest, 'facts' | 'packages'>;

/** A package together with the hour and revision it was published in. */
export type PublishedPackage = PackageEntry & { readonly ai: string; readonly hour: Hour; readonly revision: number };

export interface ManifestTable {
  /**
   * Publishes the next revision of a claimed task's hour and finishes the task, all in one transaction: packages become visible
   * together. `revision` must be the one that `nextRevision` gave. Returns undefined, changing nothing, when the lease was lost.
   * @throws AppError internal, changing nothing, when `revision` is not the next
   */
  publish(
    task: ClaimedTask,
    draft: {
      readonly revision: number;
      readonly facts: ManifestFacts;
      readonly packages: readonly PackageEntry[];
      readonly nowMs: number;
    },
  ): Promise<Manifest | undefined>;
  /** Gives the revision that the next publication of this hour will have. */
  nextRevision(ai: string, hour: Hour): Promise<number>;
  /** Reads the newest revision of an hour; undefined when there is none, or retention has deleted it. */
  newest(ai: string, hour: Hour): Promise<Manifest | undefined>;
  /** Reads one revision of an hour; undefined when there is none, or retention has deleted it. */
  read(ai: string, hour: Hour, revision: number): Promise<Manifest | undefined>;
  /** Lists the revisions that are kept of a project's hours, in order of hour and revision. */
  listRevisions(ai: string, hours: HourRange): Promise<readonly { readonly hour: Hour; readonly revision: number }[]>;
  /** Lists entries of a project's publication log in their order: at most `limit`, from the one numbered `fromSeq` on. */
  listLog(ai: string, page: { readonly fromSeq: number; readonly limit: number }): Promise<readonly Publication[]>;
  /**
   * Lists the packages of the newest revisions of these hours, in order of hour, data type and part. The same array comes again
   * only while nothing in the catalog has changed, so what is made of it may be kept with it.
   */
  listPackages(ai: string, hours: HourRange, dataType?: DataType): Promise<readonly PublishedPackage[]>;
  /** Finds a package by what its link says, in any revision still kept. */
  findPackage(ai: string, hour: Hour, dataType: DataType, name: string): Promise<PublishedPackage | undefined>;
  /** Deletes the manifests and packages of an hour, in all revisions; the publication log itself stays, and counts on. */
  withdraw(ai: string, hour: Hour): Promise<void>;
  /** Reads the newest entry of the publication log for an hour, whether or not what it published is still there. */
  newestPublication(ai: string, hour: Hour): Promise<Publication | undefined>;
  /**
   * Deletes manifests' packages of hours before this one and returns their keys; the publication log itself stays. With `ai` only
   * those of this project.
   */
  deletePackagesBefore(hour: Hour, ai?: string): Promise<readonly string[]>;
}

export interface Catalog {
  readonly projects: ProjectTable;
  readonly settings: SettingTable;
  readonly replays: ReplayTable;
  readonly tokens: TokenTable;
  readonly rules: RuleTable;
  readonly tasks: TaskTable;
  readonly manifests: ManifestTable;
  readonly legacy: LegacyExportTable;
  readonly links: LinkTable;
  readonly erasures: ErasureTable;
  /** The server's keys, made once per data directory. Signing keys never leave the process but in backups. */
  readonly serverKeys: ServerKeys;
  /** Closes the connection; later calls throw. */
  close(): Promise<void>;
}

export type ServerKeys = {
  /** Key of the links' HMAC-SHA256. */
  readonly linkKey: Buffer;
  /** Ed25519 private key, PKCS #8 PEM. */
  readonly signingKeyPem: string;
  /** Ed25519 public key, SPKI PEM. */
  readonly publicKeyPem: string;
};
