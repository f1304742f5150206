/** Gives what rows say of a tracking link. */
import type { TrackingLink } from '../catalog/tracking-link.ts';
import type { LinkFacts } from '../events/link-facts.ts';

/** Gives the facts of a link, some of its variables with other values. A variable without a value is not shown. */
export function linkFactsOf(link: TrackingLink, values: Readonly<Record<string, string>> = {}): LinkFacts {
  const { linkId, name, campaign, channel, variables } = link;
  return {
    linkId,
    linkName: name,
    campaignId: campaign?.id ?? null,
    campaignName: campaign?.name ?? null,
    channelId: channel?.id ?? null,
    channelName: channel?.name ?? null,
    variables: Object.fromEntries(Object.entries({ ...variables, ...values }).filter(([, value]) => value !== '')),
  };
}
