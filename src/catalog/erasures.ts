/** What the catalog keeps of the erasure of visitors. */
import { AppError } from '../errors/app-error.ts';
import type { ClickOwner } from '../events/click-owner.ts';
import type { RecordKind } from '../events/event-row.ts';
import { hourEndMs, hourOf, type Hour } from '../events/hour.ts';
import type { ErasureCertificate } from './erasure-certificate.ts';

/**
 * pending: rows are still to be erased, or to be published anew; the ids are kept.
 * erased: nothing but the catalog's own file may hold the ids; they are deleted from its tables.
 * done: nothing holds them; there is a certificate.
 */
export type ErasureStatus = 'pending' | 'erased' | 'done';

export type Erasure = {
  readonly id: string;
  readonly ai: string;
  readonly requestedAtMs: number;
  /** Rows with a later send time stay. */
  readonly untilMs: number;
  readonly status: ErasureStatus;
  /** How many visitors. */
  readonly visitors: number;
  /** Of each visitor's id, keyed by the project's secret; see erasure-certificate.ts. */
  readonly visitorHashes: readonly string[];
  /** All hours before this one were looked through, but for `failedHours`. */
  readonly nextHour: Hour;
  readonly failedHours: readonly Hour[];
  /** The last hour to look through. */
  readonly lastHour: Hour;
  /** All those hours were looked through for the clicks of so many owners; whoever was found since is still to be looked for. */
  readonly searchedOwners: number;
  /** What holds it up, in a sentence; null when nothing does. */
  readonly error: string | null;
  readonly certificate: ErasureCertificate | null;
};

/** How many visitors one request may name. */
export const MAX_ERASED_VISITORS = 100;
/** What the export of an hour is given from its end, before an erasure counts as late. */
const EXPORT_MS = 5 * 60_000;

/** Gives the instant by which an erasure that nothing holds up is done: its last hour has ended, and was exported. */
export function expectedByMs({ untilMs }: Pick<Erasure, 'untilMs'>): number {
  return hourEndMs(hourOf(untilMs)) + EXPORT_MS;
}

/** Refuses what is no list of visitors to erase. @throws AppError bad_request */
export function refuseVisitors(ids: readonly unknown[]): asserts ids is readonly string[] {
  if (ids.length === 0 || ids.length > MAX_ERASED_VISITORS)
    throw new AppError('bad_request', `${ids.length} visitors are named; 1 to ${MAX_ERASED_VISITORS} can be.`);
  const place = ids.findIndex((id) => typeof id !== 'string' || id === '');
  if (place !== -1) throw new AppError('bad_request', `Visitor ${place + 1} of the list is no text, or an empty one.`);
}

/** An erasure that is not done, with the ids of its visitors, and by what their clicks are known. */
export type PendingErasure = Erasure & {
  readonly visitorIds: readonly string[];
  readonly owners: readonly ClickOwner[];
};

/** How many records were erased, by kind. Kinds without any are absent. */
export type ErasedRows = Readonly<Partial<Record<RecordKind, number>>>;

/** A publication as a certificate names it. */
export type PublishedRevision = { readonly revision: number; readonly hash: string };

/** An hour in which an erasure found something, and what was published of it before; null when nothing was. */
export type ErasureHour = { readonly hour: Hour; readonly rows: ErasedRows; readonly before: PublishedRevision | null };

export interface ErasureTable {
  /** Stores an erasure; durable and visible to every process when it returns. @throws AppError unknown_project */
  create(erasure: {
    readonly ai: string;
    readonly visitorIds: readonly string[];
    readonly nowMs: number;
  }): Promise<Erasure>;
  /** Reads an erasure of a project. */
  read(ai: string, id: string): Promise<Erasure | undefined>;
  /** Lists the erasures of a project, newest first. */
  list(ai: string, limit: number): Promise<readonly Erasure[]>;
  /** Lists what is not done, oldest first; of one project, or of all. Those that are `erased` have no ids any more. */
  listUnfinished(ai?: string): Promise<readonly PendingErasure[]>;
  /** Counts those that are done, of all projects. */
  countDone(): Promise<number>;
  /** Changes how far an erasure has come. */
  update(
    id: string,
    change: Partial<Pick<Erasure, 'untilMs' | 'lastHour' | 'nextHour' | 'failedHours' | 'searchedOwners' | 'error'>>,
  ): Promise<void>;
  /**
   * Keeps by what clicks of the visitors are known, before the rows go that tell it. Returns whether any of it is new; what is beyond
   * MAX_CLICK_OWNERS is not kept.
   */
  addOwners(id: string, owners: readonly ClickOwner[]): Promise<boolean>;
  /**
   * Records, before an hour is changed, what an erasure takes out of it. What was recorded by an earlier try of the same hour that did
   * not end stays: it saw all there was, and this one may see a part. What is taken out of an hour later, such as clicks of a device
   * that was found in another, is added.
   */
  recordHour(id: string, hour: ErasureHour): Promise<void>;
  /** Says whether an hour was recorded and not marked: whoever began with it has died. */
  isBegun(id: string, hour: Hour): Promise<boolean>;
  /** Marks that a recorded hour was erased; nothing, where it was not recorded. */
  markErased(id: string, hour: Hour): Promise<void>;
  /** Lists the hours in which an erasure found something, in their order. */
  listHours(id: string): Promise<readonly ErasureHour[]>;
  /** Deletes the ids of an erasure, of visitors and devices, from the tables: status `erased`. */
  forgetVisitors(id: string): Promise<void>;
  /**
   * Overwrites in the catalog's files what was deleted from its tables. False when another process was in the way; then it is to
   * be tried again.
   */
  wipeDeleted(): Promise<boolean>;
  /** Ends an erasure with its certificate: status `done`. */
  finish(id: string, certificate: ErasureCertificate): Promise<void>;
}
