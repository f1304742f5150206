/**
 * Where each column's value comes from: the wire keys of `t`-events by data type (docs/mapping.md says the same in a table).
 *
 * A source reads one column from the context of one row. The types make sure that every column has a source and no other has.
 */
import type { DataType } from './data-types.ts';
import { pageRequestId, vstRequestId } from './ids.ts';
import type { LinkFacts } from './link-facts.ts';
import type { OperatingSystem } from './user-agent.ts';
import { readInteger, readText } from './wire-value.ts';

export type WireObject = Readonly<Record<string, unknown>>;

/** What a source may look at. */
export type RowContext = {
  readonly ai: string;
  readonly event: WireObject;
  /** The element of `e[]` that this row is of; an empty object for other data types. */
  readonly element: WireObject;
  /** The event's client time, already read. */
  readonly timeMs: number;
  /** The platform that the path stands for; null for s2s. */
  readonly pathPlatform: string | null;
  readonly isWeb: boolean;
  readonly ip: string | null;
  readonly userAgent: string | null;
  readonly operatingSystem: () => OperatingSystem;
  /** The domain, when the event names none but its page is remembered. */
  readonly domain: string | null;
  readonly actionRequestId: string | null;
  /** The page that the event belongs to; the same for all of its rows, so the hash of long ids is made once. */
  readonly pageRequestId: string | null;
  /** The tracking link that a click or an activation belongs to; see ActivationDecision. */
  readonly link?: LinkFacts | null | undefined;
};

/** Stands in the send-time column: the store writes the value. */
export const SEND_TIME = Symbol('send time');

/** Reads one column; what it gives is turned into the column's type later. */
export type Source = (row: RowContext) => unknown;

const key =
  (name: string): Source =>
  ({ event }) =>
    event[name];
const elementKey =
  (name: string): Source =>
  ({ element }) =>
    element[name];
const sendTime: Source = () => SEND_TIME;
const visitorAndSession = ({ event }: RowContext): [string, string] => [
  readText(event.u) ?? '',
  readText(event.s) ?? '',
];

/** The visit that an event belongs to; needs a visitor. */
const visitKey: Source = (row) =>
  readText(row.event.u) === null ? null : vstRequestId(row.ai, ...visitorAndSession(row));

/** The page of a page event itself. */
const ownPageKey: Source = (row) => pageRequestId(row.ai, ...visitorAndSession(row), row.timeMs);

/** Makes the key of the page that an event belongs to from its `ptm`: the page's own formula, no look-up. */
export function pageRequestIdOf(ai: string, event: WireObject): string | null {
  const pageTimeMs = readInteger(event.ptm);
  const visitor = readText(event.u);
  return pageTimeMs === null || visitor === null
    ? null
    : pageRequestId(ai, visitor, readText(event.s) ?? '', pageTimeMs);
}
const pageKey: Source = ({ pageRequestId: page }) => page;

const platform: Source = ({ event, pathPlatform }) => (event.b === '' ? null : event.b) ?? pathPlatform;
const domain: Source = ({ event, domain: remembered }) => event.d ?? remembered;

const common = { visitUserId: key('u'), sessionId: key('s'), time: ({ timeMs }: RowContext) => timeMs, sendTime };

const attributes = (column: string, wire: string, from: number, until: number): Record<string, Source> =>
  Object.fromEntries(
    Array.from({ length: until - from }, (_, place) => [`${column}${from + place}`, key(`${wire}${from + place}`)]),
  );

const ofLink =
  (name: keyof LinkFacts): Source =>
  ({ link }) =>
    link?.[name];

/** Columns filled from the tracking link; an activation that belongs to none has the id that it came with. */
const linkColumns = {
  linkId: ({ link, event }: RowContext) => (link === undefined ? event.link_id : link?.linkId),
  campaignId: ofLink('campaignId'),
  channelId: ofLink('channelId'),
  linkName: ofLink('linkName'),
  campaignName: ofLink('campaignName'),
  channelName: ofLink('channelName'),
  adsVariable: ofLink('variables'),
};

/** The sources of every data type that SDK events make rows of. */
export const COLUMN_SOURCES: Readonly<Partial<Record<DataType, Readonly<Record<string, Source>>>>> = {
  visit: {
    ...common,
    accountVersion: key('av'),
    platform,
    domain,
    page: key('p'),
    queryParameters: key('q'),
    referrer: ({ event }) => event.rf ?? event.rp, // mini programs from 3.8 on say it in rp
    language: key('l'),
    screenHeight: key('sh'),
    screenWidth: key('sw'),
    ip: ({ ip }) => ip,
    userAgent: ({ userAgent }) => userAgent,
    operatingSystem: ({ event, isWeb, operatingSystem }) => event.os ?? (isWeb ? operatingSystem().name : null),
    operatingSystemVersion: ({ event, isWeb, operatingSystem }) =>
      event.osv ?? (isWeb ? operatingSystem().nameAndVersion : null),
    clientVersion: key('cv'),
    channel: key('ch'),
    deviceBrand: key('db'),
    deviceModel: key('dm'),
    deviceType: key('ph'),
    deviceOrientation: key('o'),
    latitude: key('lat'),
    longitude: key('lng'),
    vstRequestId: visitKey,
    idfa: key('ui'),
    androidId: key('adrid'),
    IMEI: key('imei'),
  },
  page: {
    ...common,
    platform,
    domain,
    page: key('p'),
    queryParameters: key('q'),
    referrer: key('rf'),
    referrerPage: key('rp'),
    title: key('tl'),
    deviceOrientation: key('o'),
    loginUserId: key('cs1'),
    pageGroup: key('pg'),
    appVariable: key('var'),
    ...attributes('customerAttributes', 'cs', 2, 11),
    ...attributes('pageAttributes', 'ps', 1, 11),
    pageRequestId: ownPageKey,
    vstRequestId: visitKey,
  },
  action: {
    ...common,
    requestType: key('t'),
    domain,
    page: key('p'),
    time: ({ element, timeMs }) => readInteger(element.tm) ?? timeMs,
    href: elementKey('h'),
    requestValue: elementKey('v'),
    index: elementKey('idx'),
    info: elementKey('obj'),
    pageRequestId: pageKey,
    actionRequestId: ({ actionRequestId }) => actionRequestId,
  },
  custom_event: {
    ...common,
    pageTime: key('ptm'),
    domain,
    page: key('p'),
    queryParameters: key('q'),
    eventName: key('n'),
    eventNumber: key('num'),
    eventVariable: key('var'),
    loginUserId: key('cs1'),
    pageRequestId: pageKey,
  },
  pvar: { ...common, pageTime: key('ptm'), domain, page: key('p'), pageVariable: key('var'), pageRequestId: pageKey },
  evar: { ...common, domain, conversionVariable: key('var') },
  vstr: { ...common, visitorVariable: key('var') },
  ads_track_activation: {
    visitUserId: key('u'),
    idfa: key('ui'),
    imei: key('imei'),
    uuid: key('iv'), // IDFV, the only device id of an iOS app in UUID form that is no advertising id
    androidId: key('adrid'),
    ip: ({ ip }) => ip,
    userAgent: ({ event, userAgent }) => event.ua ?? userAgent,
    platform,
    operatingSystemVersion: key('osv'),
    sendTime,
    ...linkColumns,
  },
  ads_track_click: {
    idfa: key('idfa'),
    imei: key('imei'),
    uuid: key('uuid'),
    androidId: key('androidid'),
    ip: ({ ip }) => ip,
    userAgent: ({ userAgent }) => userAgent,
    platform: ({ operatingSystem }) => operatingSystem().name,
    operatingSystemVersion: ({ operatingSystem }) => operatingSystem().nameAndVersion,
    eventTime: sendTime,
    ...linkColumns,
    linkId: ofLink('linkId'),
  },
};
