/**
 * The seven tables of the 1.0 API and their columns, in the order in which its packages have them.
 *
 * Source: the column tables of the Raw Data Export 1.0 document (docs/api-1.0.md says how well each fact is known). Every 1.0 row is
 * one row of a data type of the 2.0 export, written in other columns. Names and order are part of a published file format.
 */
import type { DataType } from './data-types.ts';

/** `resolution` and `attribute` are put together from several columns; `nothing` is always null. */
type Made = 'resolution' | 'attribute' | 'nothing';

/** Where the value of a 1.0 column comes from. */
export type LegacyColumn = { readonly name: string } & (
  { readonly from: string } | { readonly constant: string } | { readonly made: Made }
);

export type LegacyLayout = {
  /** The data type whose rows it shows. */
  readonly dataType: DataType;
  readonly columns: readonly LegacyColumn[];
  /** Columns of the data type by which the rows are sorted: the visitor's and the session's, where the table has them. */
  readonly groupedBy: readonly string[];
  /** The column of the data type that holds the send time, by which they are sorted then. */
  readonly sendTime: string;
};

/** Columns by their 1.0 names, each with the column of the data type that it shows, or with what it holds instead. */
type Columns = Readonly<Record<string, string | { readonly constant: string } | { readonly made: Made }>>;

const WHOSE = { userId: 'visitUserId', sessionId: 'sessionId', sendTime: 'sendTime', eventTime: 'time' };
const PLACE = { domain: 'domain', path: 'page' };
const DEVICE = {
  idfa: 'idfa',
  imei: 'imei',
  uuid: 'uuid',
  androidid: 'androidId',
  ip: 'ip',
  useragent: 'userAgent',
  platform: 'platform',
};
const LINK = {
  link_id: 'linkId',
  campaign_id: 'campaignId',
  channel_id: 'channelId',
  link_name: 'linkName',
  campaign_name: 'campaignName',
  channel_name: 'channelName',
};
const BY_SESSION = { groupedBy: ['visitUserId', 'sessionId'], sendTime: 'sendTime' };
const NOTHING = { made: 'nothing' } as const;

const LAYOUTS = {
  visit: {
    dataType: 'visit',
    columns: columnsOf({
      ...WHOSE,
      eventType: { constant: 'vst' },
      ip: 'ip',
      countryName: NOTHING,
      region: NOTHING,
      city: NOTHING,
      ...PLACE,
      refer: 'referrer',
      userAgent: 'userAgent',
      appVersion: 'clientVersion',
      model: 'deviceModel',
      manufacturer: 'deviceBrand',
      channel: 'channel',
      language: 'language',
      osVersion: 'operatingSystemVersion',
      resolution: { made: 'resolution' },
      platform: 'platform',
      id: 'vstRequestId',
      query: 'queryParameters',
      lat: 'latitude',
      lng: 'longitude',
    }),
    ...BY_SESSION,
  },
  page: {
    dataType: 'page',
    columns: columnsOf({
      ...WHOSE,
      eventType: { constant: 'page' },
      ...PLACE,
      query: 'queryParameters',
      refer: 'referrer',
      title: 'title',
      platform: 'platform',
      cs1: 'loginUserId',
      ...numbered('cs', 'customerAttributes', 2),
      id: 'pageRequestId',
      visit_id: 'vstRequestId',
      pagegroup: 'pageGroup',
      ...numbered('ps', 'pageAttributes', 1),
    }),
    ...BY_SESSION,
  },
  action: {
    dataType: 'action',
    columns: columnsOf({
      ...WHOSE,
      eventType: 'requestType',
      eventValue: 'requestValue',
      ...PLACE,
      href: 'href',
      page_id: 'pageRequestId',
      action_id: 'actionRequestId',
      index: 'index',
      info: 'info',
    }),
    ...BY_SESSION,
  },
  action_tag: {
    dataType: 'action_tag',
    columns: columnsOf({ sendTime: 'sendTime', action_id: 'actionRequestId', rule_id: 'ruleId' }),
    groupedBy: [],
    sendTime: 'sendTime',
  },
  custom_attr: {
    dataType: 'custom_event',
    columns: columnsOf({ sendTime: 'sendTime', eventname: 'eventName', attribute: { made: 'attribute' } }),
    ...BY_SESSION,
  },
  ads_track_activation: {
    dataType: 'ads_track_activation',
    columns: columnsOf({
      userId: 'visitUserId',
      ...DEVICE,
      osversion: 'operatingSystemVersion',
      sendTime: 'sendTime',
      ...LINK,
    }),
    groupedBy: ['visitUserId'],
    sendTime: 'sendTime',
  },
  ads_track_click: {
    dataType: 'ads_track_click',
    columns: columnsOf({ ...DEVICE, eventTime: 'eventTime', ...LINK }),
    groupedBy: [],
    sendTime: 'eventTime',
  },
} as const satisfies Record<string, LegacyLayout>;

function columnsOf(columns: Columns): readonly LegacyColumn[] {
  return Object.entries(columns).map(([name, from]) => (typeof from === 'string' ? { name, from } : { name, ...from }));
}

/** Gives the deprecated columns `{name}{first}` to `{name}10`. */
function numbered(name: string, from: string, first: number): Columns {
  const places = Array.from({ length: 11 - first }, (_, place) => first + place);
  return Object.fromEntries(places.map((place) => [`${name}${place}`, `${from}${place}`]));
}

/** One of the seven tables of the 1.0 API. */
export type LegacyTable = keyof typeof LAYOUTS;

/** The seven tables, in the order in which answers list them. Their place here is also their code in the catalog: append only. */
export const LEGACY_TABLES = Object.keys(LAYOUTS) as readonly LegacyTable[];

/** The data types that the seven tables are made from. */
export const LEGACY_DATA_TYPES: ReadonlySet<DataType> = new Set(LEGACY_TABLES.map((table) => LAYOUTS[table].dataType));

/** Gives what a 1.0 table is made of. */
export function legacyLayoutOf(table: LegacyTable): LegacyLayout {
  return LAYOUTS[table];
}

/** Says whether a text names a 1.0 table. */
export function isLegacyTable(text: string): text is LegacyTable {
  return Object.hasOwn(LAYOUTS, text);
}

/** Gives the header line of a 1.0 table's packages, with its line end. */
export function legacyHeaderLine(table: LegacyTable): string {
  return `${legacyLayoutOf(table)
    .columns.map(({ name }) => name)
    .join(',')}\n`;
}

/**
 * The names in `attribute` that are not the event's own, and the columns of custom_event that they show. A variable with one of
 * these names is left out, because an object with a name twice is read in as many ways as there are readers.
 */
export const ATTRIBUTE_NAMES = {
  _userId: 'visitUserId',
  _sessionId: 'sessionId',
  _eventTime: 'time',
  _domain: 'domain',
  _path: 'page',
  _query: 'queryParameters',
  _cs1: 'loginUserId',
} as const;
