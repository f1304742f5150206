/**
 * The seven tables of the 1.0 API and their columns, in the order in which its packages have them.
 *
 * Source: the column tables of the Raw Data Export 1.0 document (docs/api-1.0.md says how well each fact is known). Every 1.0 row is
 * one row of a data type of the 2.0 export, written in other columns. Names and order are part of a published file format.
 */
import type { DataType } from './data-types.ts';

/** Where the value of a 1.0 column comes from. */
export type LegacyColumn = { readonly name: string } & (
  | { readonly from: string }
  | { readonly constant: string }
  /** `resolution` and `attribute` are put together from several columns; `nothing` is always null. */
  | { readonly made: 'resolution' | 'attribute' | 'nothing' }
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

const numbered = (name: string, from: string, first: number): LegacyColumn[] =>
  Array.from({ length: 11 - first }, (_, index) => ({
    name: `${name}${first + index}`,
    from: `${from}${first + index}`,
  }));

const LAYOUTS = {
  visit: {
    dataType: 'visit',
    columns: [
      { name: 'userId', from: 'visitUserId' },
      { name: 'sessionId', from: 'sessionId' },
      { name: 'sendTime', from: 'sendTime' },
      { name: 'eventTime', from: 'time' },
      { name: 'eventType', constant: 'vst' },
      { name: 'ip', from: 'ip' },
      { name: 'countryName', made: 'nothing' },
      { name: 'region', made: 'nothing' },
      { name: 'city', made: 'nothing' },
      { name: 'domain', from: 'domain' },
      { name: 'path', from: 'page' },
      { name: 'refer', from: 'referrer' },
      { name: 'userAgent', from: 'userAgent' },
      { name: 'appVersion', from: 'clientVersion' },
      { name: 'model', from: 'deviceModel' },
      { name: 'manufacturer', from: 'deviceBrand' },
      { name: 'channel', from: 'channel' },
      { name: 'language', from: 'language' },
      { name: 'osVersion', from: 'operatingSystemVersion' },
      { name: 'resolution', made: 'resolution' },
      { name: 'platform', from: 'platform' },
      { name: 'id', from: 'vstRequestId' },
      { name: 'query', from: 'queryParameters' },
      { name: 'lat', from: 'latitude' },
      { name: 'lng', from: 'longitude' },
    ],
    groupedBy: ['visitUserId', 'sessionId'],
    sendTime: 'sendTime',
  },
  page: {
    dataType: 'page',
    columns: [
      { name: 'userId', from: 'visitUserId' },
      { name: 'sessionId', from: 'sessionId' },
      { name: 'sendTime', from: 'sendTime' },
      { name: 'eventTime', from: 'time' },
      { name: 'eventType', constant: 'page' },
      { name: 'domain', from: 'domain' },
      { name: 'path', from: 'page' },
      { name: 'query', from: 'queryParameters' },
      { name: 'refer', from: 'referrer' },
      { name: 'title', from: 'title' },
      { name: 'platform', from: 'platform' },
      { name: 'cs1', from: 'loginUserId' },
      ...numbered('cs', 'customerAttributes', 2),
      { name: 'id', from: 'pageRequestId' },
      { name: 'visit_id', from: 'vstRequestId' },
      { name: 'pagegroup', from: 'pageGroup' },
      ...numbered('ps', 'pageAttributes', 1),
    ],
    groupedBy: ['visitUserId', 'sessionId'],
    sendTime: 'sendTime',
  },
  action: {
    dataType: 'action',
    columns: [
      { name: 'userId', from: 'visitUserId' },
      { name: 'sessionId', from: 'sessionId' },
      { name: 'sendTime', from: 'sendTime' },
      { name: 'eventTime', from: 'time' },
      { name: 'eventType', from: 'requestType' },
      { name: 'eventValue', from: 'requestValue' },
      { name: 'domain', from: 'domain' },
      { name: 'path', from: 'page' },
      { name: 'href', from: 'href' },
      { name: 'page_id', from: 'pageRequestId' },
      { name: 'action_id', from: 'actionRequestId' },
      { name: 'index', from: 'index' },
      { name: 'info', from: 'info' },
    ],
    groupedBy: ['visitUserId', 'sessionId'],
    sendTime: 'sendTime',
  },
  action_tag: {
    dataType: 'action_tag',
    columns: [
      { name: 'sendTime', from: 'sendTime' },
      { name: 'action_id', from: 'actionRequestId' },
      { name: 'rule_id', from: 'ruleId' },
    ],
    groupedBy: [],
    sendTime: 'sendTime',
  },
  custom_attr: {
    dataType: 'custom_event',
    columns: [
      { name: 'sendTime', from: 'sendTime' },
      { name: 'eventname', from: 'eventName' },
      { name: 'attribute', made: 'attribute' },
    ],
    groupedBy: ['visitUserId', 'sessionId'],
    sendTime: 'sendTime',
  },
  ads_track_activation: {
    dataType: 'ads_track_activation',
    columns: [
      { name: 'userId', from: 'visitUserId' },
      { name: 'idfa', from: 'idfa' },
      { name: 'imei', from: 'imei' },
      { name: 'uuid', from: 'uuid' },
      { name: 'androidid', from: 'androidId' },
      { name: 'ip', from: 'ip' },
      { name: 'useragent', from: 'userAgent' },
      { name: 'platform', from: 'platform' },
      { name: 'osversion', from: 'operatingSystemVersion' },
      { name: 'sendTime', from: 'sendTime' },
      { name: 'link_id', from: 'linkId' },
      { name: 'campaign_id', from: 'campaignId' },
      { name: 'channel_id', from: 'channelId' },
      { name: 'link_name', from: 'linkName' },
      { name: 'campaign_name', from: 'campaignName' },
      { name: 'channel_name', from: 'channelName' },
    ],
    groupedBy: ['visitUserId'],
    sendTime: 'sendTime',
  },
  ads_track_click: {
    dataType: 'ads_track_click',
    columns: [
      { name: 'idfa', from: 'idfa' },
      { name: 'imei', from: 'imei' },
      { name: 'uuid', from: 'uuid' },
      { name: 'androidid', from: 'androidId' },
      { name: 'ip', from: 'ip' },
      { name: 'useragent', from: 'userAgent' },
      { name: 'platform', from: 'platform' },
      { name: 'eventTime', from: 'eventTime' },
      { name: 'link_id', from: 'linkId' },
      { name: 'campaign_id', from: 'campaignId' },
      { name: 'channel_id', from: 'channelId' },
      { name: 'link_name', from: 'linkName' },
      { name: 'campaign_name', from: 'campaignName' },
      { name: 'channel_name', from: 'channelName' },
    ],
    groupedBy: [],
    sendTime: 'eventTime',
  },
} as const satisfies Record<string, LegacyLayout>;

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
