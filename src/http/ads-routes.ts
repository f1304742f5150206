/**
 * Campaigns, channels and tracking links of a project, in the paths and shapes of the original's ads tracking API.
 *
 * The original answers with more than is kept here: apps, creators, parameters of one ad network. Those members are there and null,
 * so that a client that reads them goes on working.
 */
import type { FastifyInstance } from 'fastify';
import { Type, type Static } from 'typebox';
import { parseLinkTarget } from '../ads/link-target.ts';
import type { Catalog } from '../catalog/catalog.ts';
import type { AdsLabelKind, TrackingLink } from '../catalog/tracking-link.ts';
import type { Clock } from '../lib/clock.ts';
import { addProjectOperations, type Operation, type ProjectAnswer } from './api-operation.ts';
import { ErrorBody } from './error-body.ts';
import { linkBaseOf } from './link-base.ts';
import { UnauthorizedBody } from './project-access.ts';

export type AdsRouteOptions = {
  readonly catalog: Pick<Catalog, 'tokens' | 'links'>;
  readonly clock: Clock;
  /** App schemes that a link may lead to. */
  readonly linkSchemes: readonly string[];
  readonly publicUrl?: string | undefined;
};

const Params = Type.Object(
  {
    uid: Type.String({
      pattern: '^[0-9A-Za-z]{8}$',
      description: 'Second id of the project, eight letters and digits.',
    }),
  },
  { additionalProperties: false },
);
const text = (description: string) => Type.String({ description });
const nullable = (description: string) => Type.Union([Type.String(), Type.Null()], { description });
const nothing = (description: string) => Type.Null({ description });

const LabelDraft = Type.Object(
  {
    name: text('At most 50 characters: letters, digits, Chinese and - / _ and comma. Unique in the project.'),
    productId: Type.Optional(text('Taken and not kept: there are no apps here.')),
  },
  { additionalProperties: false },
);
const Label = Type.Object({ id: text('Eight letters and digits.'), name: text('Its name.') });

const LinkDraft = Type.Object(
  {
    name: text('At most 50 characters: letters, digits, Chinese and - / _ and comma. Unique in the project.'),
    redirectUrl: text('Where a click is sent to: http, https, or an app scheme that the operator allows.'),
    campaignId: Type.Optional(text('The campaign it belongs to.')),
    channelId: Type.Optional(text('The channel it belongs to.')),
    productId: Type.Optional(text('Kept and given back; nothing here reads it.')),
    variables: Type.Optional(
      Type.Record(Type.String(), Type.String(), { description: "The link's own variables, exported as adsVariable." }),
    ),
  },
  { additionalProperties: false },
);
export const TrackingLinkDocument = Type.Object({
  id: text('The same as linkId.'),
  linkId: text('Eight letters and digits.'),
  name: text('Its name.'),
  projectId: text('The uid of the project.'),
  productId: nullable('As it was given.'),
  appId: nothing('There are no apps here.'),
  trackingUrl: text('The address to give to whoever shows the ad.'),
  redirectUrl: text('Where a click is sent to.'),
  impressionUrl: nothing('Impressions are not tracked.'),
  campaignId: nullable('The campaign it belongs to.'),
  campaignName: nullable('Its name.'),
  channelId: nullable('The channel it belongs to.'),
  channelName: nullable('Its name.'),
  status: Type.Literal('activated', { description: 'Links that were removed are not listed.' }),
  creatorId: nothing('There are no users here.'),
  creatorName: nothing('There are no users here.'),
  updaterId: nothing('There are no users here.'),
  updaterName: nothing('There are no users here.'),
  createdAt: Type.Integer({ description: 'Unix milliseconds.' }),
  updatedAt: Type.Integer({ description: 'Unix milliseconds.' }),
  params: nothing('The parameters of one ad network in the original.'),
  variables: Type.Record(Type.String(), Type.String(), { description: "The link's own variables." }),
});

const refusals = { 400: ErrorBody, 401: UnauthorizedBody } as const;
const common = { access: 'project', params: Params } as const;
const pathOf = (what: string): string => `/api/v1/projects/{uid}/meta/${what}`;

const LABELS = [
  { kind: 'campaign', id: 'Campaign', path: pathOf('campaigns') },
  { kind: 'channel', id: 'Channel', path: pathOf('channels') },
] as const;

const LABEL_OPERATIONS = LABELS.map(({ kind, id, path }) => ({
  kind,
  create: {
    ...common,
    id: `create${id}`,
    method: 'POST',
    path,
    summary: `Makes a ${kind}.`,
    body: LabelDraft,
    responses: { 200: Label, ...refusals, 409: ErrorBody, 413: ErrorBody },
  } satisfies Operation,
  list: {
    ...common,
    id: `list${id}s`,
    path,
    summary: `Lists the ${kind}s of a project, oldest first.`,
    responses: { 200: Type.Array(Label), ...refusals },
  } satisfies Operation,
}));

const CREATE_LINK: Operation = {
  ...common,
  id: 'createTrackingLink',
  method: 'POST',
  path: pathOf('normallinks'),
  summary: 'Makes a tracking link, which takes clicks at once.',
  body: LinkDraft,
  responses: { 200: TrackingLinkDocument, ...refusals, 404: ErrorBody, 409: ErrorBody, 413: ErrorBody },
};
const LIST_LINKS: Operation = {
  ...common,
  id: 'listTrackingLinks',
  path: pathOf('normallinks'),
  summary: 'Lists the tracking links of a project, oldest first.',
  responses: { 200: Type.Array(TrackingLinkDocument), ...refusals },
};

export const ADS_OPERATIONS: readonly Operation[] = [
  ...LABEL_OPERATIONS.flatMap(({ create, list }): Operation[] => [create, list]),
  CREATE_LINK,
  LIST_LINKS,
];

/** Adds campaigns, channels and tracking links. */
export function addAdsRoutes(app: FastifyInstance, options: AdsRouteOptions): void {
  addProjectOperations(app, options, [
    ...LABEL_OPERATIONS.flatMap(({ kind, create, list }): [Operation, ProjectAnswer][] => [
      [create, answerCreateLabel(options, kind)],
      [list, async ({ ai }, _request, reply) => reply.send(await options.catalog.links.listLabels(kind, ai))],
    ]),
    [CREATE_LINK, answerCreateLink(options)],
    [
      LIST_LINKS,
      async ({ ai, uid }, request, reply) => {
        const base = linkBaseOf(request.raw, options.publicUrl);
        return reply.send((await options.catalog.links.list(ai)).map((link) => describeLink(link, uid, base)));
      },
    ],
  ]);
}

function answerCreateLabel({ catalog, clock }: AdsRouteOptions, kind: AdsLabelKind): ProjectAnswer {
  return async ({ ai }, request, reply) => {
    const { name } = request.body as Static<typeof LabelDraft>;
    return reply.send(await catalog.links.createLabel(kind, ai, name, clock.nowMs()));
  };
}

function answerCreateLink({ catalog, clock, linkSchemes, publicUrl }: AdsRouteOptions): ProjectAnswer {
  return async ({ ai, uid }, request, reply) => {
    const { name, redirectUrl, campaignId, channelId, productId, variables } = request.body as Static<typeof LinkDraft>;
    const draft = {
      ai,
      name,
      target: parseLinkTarget(redirectUrl, linkSchemes),
      campaign: campaignId === undefined ? undefined : { id: campaignId },
      channel: channelId === undefined ? undefined : { id: channelId },
      productId,
      variables,
    };
    const link = await catalog.links.create(draft, clock.nowMs());
    return reply.send(describeLink(link, uid, linkBaseOf(request.raw, publicUrl)));
  };
}

function describeLink(link: TrackingLink, uid: string, base: string): Static<typeof TrackingLinkDocument> {
  const { linkId, name, target, campaign, channel, productId, variables, createdAtMs, updatedAtMs } = link;
  return {
    id: linkId,
    linkId,
    name,
    projectId: uid,
    productId,
    appId: null,
    trackingUrl: `${base}/l/${linkId}`,
    redirectUrl: target,
    impressionUrl: null,
    campaignId: campaign?.id ?? null,
    campaignName: campaign?.name ?? null,
    channelId: channel?.id ?? null,
    channelName: channel?.name ?? null,
    status: 'activated',
    creatorId: null,
    creatorName: null,
    updaterId: null,
    updaterName: null,
    createdAt: createdAtMs,
    updatedAt: updatedAtMs,
    params: null,
    variables,
  };
}
