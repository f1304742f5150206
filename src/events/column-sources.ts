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

/** What a column takes where the event has none of its keys. Everything but `null` is the same for all events of a visitor's request, or derived. */
export type Fallback =
  | 'null'
  | 'sendTime'
  | 'time'
  | 'pathPlatform'
  | 'rememberedDomain'
  | 'ip'
  | 'userAgent'
  | 'osName'
  | 'osNameAndVersion'
  | 'visitKey'
  | 'ownPageKey'
  | 'pageKey'
  | 'actionKey'
  | 'namedLinkId'
  | keyof LinkFacts;

/** Where a column's value comes from: the first of these keys that is there and not null, else the fallback. */
export type Source = {
  /** Keys of the event, or of the element of `e[]`. */
  readonly keys: readonly string[];
  readonly isOfElement: boolean;
  /** Whether an empty text counts as none. */
  readonly skipsEmpty: boolean;
  /** Whether only a whole number counts. */
  readonly isInteger: boolean;
  readonly otherwise: Fallback;
};

const source = (keys: readonly string[], otherwise: Fallback = 'null', more: Partial<Source> = {}): Source => ({
  keys,
  isOfElement: false,
  skipsEmpty: false,
  isInteger: false,
  otherwise,
  ...more,
});
const key = (...keys: readonly string[]): Source => source(keys);
const elementKey = (name: string): Source => source([name], 'null', { isOfElement: true });
const derived = (otherwise: Fallback): Source => source([], otherwise);

/** Reads one column; what it gives is turned into the column's type later. */
export function readSource(from: Source, row: RowContext): unknown {
  const object = from.isOfElement ? row.element : row.event;
  for (const name of from.keys) {
    const value = object[name];
    if (value === undefined || value === null || (from.skipsEmpty && value === '')) continue;
    if (!from.isInteger) return value;
    const integer = readInteger(value);
    if (integer !== null) return integer;
  }
  return FALLBACKS[from.otherwise](row);
}

const visitorAndSession = ({ event }: RowContext): [string, string] => [
  readText(event.u) ?? '',
  readText(event.s) ?? '',
];

const FALLBACKS: Readonly<Record<Fallback, (row: RowContext) => unknown>> = {
  null: () => null,
  sendTime: () => SEND_TIME,
  time: ({ timeMs }) => timeMs,
  pathPlatform: ({ pathPlatform }) => pathPlatform,
  rememberedDomain: ({ domain }) => domain,
  ip: ({ ip }) => ip,
  userAgent: ({ userAgent }) => userAgent,
  osName: ({ isWeb, operatingSystem }) => (isWeb ? operatingSystem().name : null),
  osNameAndVersion: ({ isWeb, operatingSystem }) => (isWeb ? operatingSystem().nameAndVersion : null),
  // A visit is one of a visitor; the page of a page event is its own.
  visitKey: (row) => (readText(row.event.u) === null ? null : vstRequestId(row.ai, ...visitorAndSession(row))),
  ownPageKey: (row) => pageRequestId(row.ai, ...visitorAndSession(row), row.timeMs),
  pageKey: ({ pageRequestId: page }) => page,
  actionKey: ({ actionRequestId }) => actionRequestId,
  // An activation that belongs to no link has the id that it came with.
  namedLinkId: ({ link, event }) => (link === undefined ? event.link_id : link?.linkId),
  linkId: ({ link }) => link?.linkId,
  linkName: ({ link }) => link?.linkName,
  campaignId: ({ link }) => link?.campaignId,
  campaignName: ({ link }) => link?.campaignName,
  channelId: ({ link }) => link?.channelId,
  channelName: ({ link }) => link?.channelName,
  variables: ({ link }) => link?.variables,
};

/** Makes the key of the page that an event belongs to from its `ptm`: the page's own formula, no look-up. */
export function pageRequestIdOf(ai: string, event: WireObject): string | null {
  const pageTimeMs = readInteger(event.ptm);
  const visitor = readText(event.u);
  return pageTimeMs === null || visitor === null || visitor === ''
    ? null
    : pageRequestId(ai, visitor, readText(event.s) ?? '', pageTimeMs);
}

const platform = source(['b'], 'pathPlatform', { skipsEmpty: true });
const domain = source(['d'], 'rememberedDomain');
const sendTime = derived('sendTime');

const common = { visitUserId: key('u'), sessionId: key('s'), time: derived('time'), sendTime };

const attributes = (column: string, wire: string, from: number, until: number): Record<string, Source> =>
  Object.fromEntries(
    Array.from({ length: until - from }, (_, place) => [`${column}${from + place}`, key(`${wire}${from + place}`)]),
  );

/** Columns filled from the tracking link. */
const linkColumns = {
  campaignId: derived('campaignId'),
  channelId: derived('channelId'),
  linkName: derived('linkName'),
  campaignName: derived('campaignName'),
  channelName: derived('channelName'),
  adsVariable: derived('variables'),
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
    referrer: key('rf', 'rp'), // mini programs from 3.8 on say it in rp
    language: key('l'),
    screenHeight: key('sh'),
    screenWidth: key('sw'),
    ip: derived('ip'),
    userAgent: derived('userAgent'),
    operatingSystem: source(['os'], 'osName'),
    operatingSystemVersion: source(['osv'], 'osNameAndVersion'),
    clientVersion: key('cv'),
    channel: key('ch'),
    deviceBrand: key('db'),
    deviceModel: key('dm'),
    deviceType: key('ph'),
    deviceOrientation: key('o'),
    latitude: key('lat'),
    longitude: key('lng'),
    vstRequestId: derived('visitKey'),
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
    pageRequestId: derived('ownPageKey'),
    vstRequestId: derived('visitKey'),
  },
  action: {
    ...common,
    requestType: key('t'),
    domain,
    page: key('p'),
    time: source(['tm'], 'time', { isOfElement: true, isInteger: true }),
    href: elementKey('h'),
    requestValue: elementKey('v'),
    index: elementKey('idx'),
    info: elementKey('obj'),
    pageRequestId: derived('pageKey'),
    actionRequestId: derived('actionKey'),
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
    pageRequestId: derived('pageKey'),
  },
  pvar: {
    ...common,
    pageTime: key('ptm'),
    domain,
    page: key('p'),
    pageVariable: key('var'),
    pageRequestId: derived('pageKey'),
  },
  evar: { ...common, domain, conversionVariable: key('var') },
  vstr: { ...common, visitorVariable: key('var') },
  ads_track_activation: {
    visitUserId: key('u'),
    idfa: key('ui'),
    imei: key('imei'),
    uuid: key('iv'), // IDFV, the only device id of an iOS app in UUID form that is no advertising id
    androidId: key('adrid'),
    ip: derived('ip'),
    userAgent: source(['ua'], 'userAgent'),
    platform,
    operatingSystemVersion: key('osv'),
    sendTime,
    linkId: derived('namedLinkId'),
    ...linkColumns,
  },
  ads_track_click: {
    idfa: key('idfa'),
    imei: key('imei'),
    uuid: key('uuid'),
    androidId: key('androidid'),
    ip: derived('ip'),
    userAgent: derived('userAgent'),
    platform: derived('osName'),
    operatingSystemVersion: derived('osNameAndVersion'),
    eventTime: sendTime,
    linkId: derived('linkId'),
    ...linkColumns,
  },
};
