/**
 * Tracking links and the campaigns and channels that they belong to: what the catalog keeps of the ads of a project.
 *
 * Implementation: `link-table.ts`.
 */

/** A campaign or a channel. */
export type AdsLabel = { readonly id: string; readonly name: string };

export type AdsLabelKind = 'campaign' | 'channel';

export type TrackingLink = {
  /** Eight letters and digits: the path of the link, `/l/{linkId}`. */
  readonly linkId: string;
  readonly ai: string;
  readonly name: string;
  /** Where a click is sent to. */
  readonly target: string;
  readonly campaign: AdsLabel | null;
  readonly channel: AdsLabel | null;
  /** What a client of the API called the app; nothing here reads it. */
  readonly productId: string | null;
  /** The link's own dimensions, exported as adsVariable. */
  readonly variables: Readonly<Record<string, string>>;
  /** A link that was removed is archived: clicks before still count, further ones are not taken. */
  readonly status: 'activated' | 'archived';
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
};

/** What a label is named by: its id, or a name that is made a label when there is none yet. */
export type LabelReference = { readonly id: string } | { readonly name: string };

export type LinkDraft = {
  readonly ai: string;
  readonly name: string;
  /** Checked by the caller (src/ads/link-target.ts). */
  readonly target: string;
  readonly campaign?: LabelReference | undefined;
  readonly channel?: LabelReference | undefined;
  readonly productId?: string | undefined;
  readonly variables?: Readonly<Record<string, string>> | undefined;
};

export interface LinkTable {
  /** Makes a campaign or a channel. @throws AppError bad_name, name_taken, unknown_project, too_many_links */
  createLabel(kind: AdsLabelKind, ai: string, name: string, nowMs: number): Promise<AdsLabel>;
  /** Lists a project's campaigns or channels, oldest first. */
  listLabels(kind: AdsLabelKind, ai: string): Promise<readonly AdsLabel[]>;
  /**
   * Makes a link, and the labels it names when they are not there yet; in force in every process when this returns.
   * @throws AppError bad_name, bad_variables, name_taken, unknown_label, unknown_project, too_many_links
   */
  create(draft: LinkDraft, nowMs: number): Promise<TrackingLink>;
  /** Lists a project's links that are not archived, oldest first. */
  list(ai: string): Promise<readonly TrackingLink[]>;
  /** Archives a link: its path is unknown from now on, and its name free. @throws AppError unknown_link */
  archive(ai: string, linkId: string, nowMs: number): Promise<TrackingLink>;
  /** Finds a link, archived or not. Synchronous, and never older than the last commit of any process. */
  find(linkId: string): TrackingLink | undefined;
}
