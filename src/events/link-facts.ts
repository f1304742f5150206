/** What a row says of the tracking link that it belongs to, and what is decided of an activation before it is mapped. */

export type LinkFacts = {
  readonly linkId: string;
  readonly linkName: string;
  readonly campaignId: string | null;
  readonly campaignName: string | null;
  readonly channelId: string | null;
  readonly channelName: string | null;
  readonly variables: Readonly<Record<string, string>>;
};

/**
 * A repeated activation of a device makes no row. Any other has its link; none, if it has none, and then shows the link_id that it
 * came with; null, if that is another project's.
 */
export type ActivationDecision =
  { readonly isRepeated: true } | { readonly isRepeated: false; readonly link: LinkFacts | null | undefined };
