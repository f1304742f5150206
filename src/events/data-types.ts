/**
 * The ten exported data types and their columns, in the order in which they are exported.
 *
 * Source: the column tables of the Raw Data Export 2.0 documents; widths in code points. Names and order are part of the file
 * format (docs/package-format.md): a change is a change for every reader.
 */

/** How a column's value is written: text, a whole number, a plain decimal number, or a JSON object of strings. */
export type ColumnType = 'string' | 'int64' | 'double' | 'map';

/** One exported column. `width` is in code points; absent where the documents give none. */
export type Column = { readonly name: string; readonly type: ColumnType; readonly width?: number };

const COLUMNS = {
  visit: [
    { name: 'visitUserId', type: 'string', width: 64 },
    { name: 'sessionId', type: 'string', width: 50 },
    { name: 'accountVersion', type: 'string', width: 20 },
    { name: 'platform', type: 'string', width: 20 },
    { name: 'domain', type: 'string', width: 100 },
    { name: 'page', type: 'string', width: 1024 },
    { name: 'queryParameters', type: 'string', width: 1024 },
    { name: 'referrer', type: 'string', width: 1024 },
    { name: 'language', type: 'string', width: 10 },
    { name: 'screenHeight', type: 'string', width: 10 },
    { name: 'screenWidth', type: 'string', width: 10 },
    { name: 'time', type: 'int64' },
    { name: 'sendTime', type: 'int64' },
    { name: 'ip', type: 'string', width: 15 },
    { name: 'userAgent', type: 'string', width: 512 },
    { name: 'operatingSystem', type: 'string', width: 30 },
    { name: 'operatingSystemVersion', type: 'string', width: 50 },
    { name: 'clientVersion', type: 'string', width: 50 },
    { name: 'channel', type: 'string', width: 40 },
    { name: 'deviceBrand', type: 'string', width: 20 },
    { name: 'deviceModel', type: 'string', width: 50 },
    { name: 'deviceType', type: 'string', width: 50 },
    { name: 'deviceOrientation', type: 'string', width: 10 },
    { name: 'latitude', type: 'double' },
    { name: 'longitude', type: 'double' },
    { name: 'vstRequestId', type: 'string', width: 16 },
    { name: 'idfa', type: 'string', width: 40 },
    { name: 'androidId', type: 'string', width: 16 },
    { name: 'IMEI', type: 'string', width: 16 },
  ],
  page: [
    { name: 'visitUserId', type: 'string', width: 64 },
    { name: 'sessionId', type: 'string', width: 50 },
    { name: 'platform', type: 'string', width: 20 },
    { name: 'domain', type: 'string', width: 100 },
    { name: 'page', type: 'string', width: 1024 },
    { name: 'queryParameters', type: 'string', width: 1024 },
    { name: 'referrer', type: 'string', width: 1024 },
    { name: 'referrerPage', type: 'string', width: 1024 },
    { name: 'title', type: 'string', width: 1024 },
    { name: 'time', type: 'int64' },
    { name: 'sendTime', type: 'int64' },
    { name: 'deviceOrientation', type: 'string', width: 10 },
    { name: 'loginUserId', type: 'string', width: 200 },
    { name: 'pageGroup', type: 'string', width: 200 },
    { name: 'appVariable', type: 'map' },
    { name: 'customerAttributes2', type: 'string', width: 200 },
    { name: 'customerAttributes3', type: 'string', width: 200 },
    { name: 'customerAttributes4', type: 'string', width: 200 },
    { name: 'customerAttributes5', type: 'string', width: 200 },
    { name: 'customerAttributes6', type: 'string', width: 200 },
    { name: 'customerAttributes7', type: 'string', width: 200 },
    { name: 'customerAttributes8', type: 'string', width: 200 },
    { name: 'customerAttributes9', type: 'string', width: 200 },
    { name: 'customerAttributes10', type: 'string', width: 200 },
    { name: 'pageAttributes1', type: 'string', width: 200 },
    { name: 'pageAttributes2', type: 'string', width: 200 },
    { name: 'pageAttributes3', type: 'string', width: 200 },
    { name: 'pageAttributes4', type: 'string', width: 200 },
    { name: 'pageAttributes5', type: 'string', width: 200 },
    { name: 'pageAttributes6', type: 'string', width: 200 },
    { name: 'pageAttributes7', type: 'string', width: 200 },
    { name: 'pageAttributes8', type: 'string', width: 200 },
    { name: 'pageAttributes9', type: 'string', width: 200 },
    { name: 'pageAttributes10', type: 'string', width: 200 },
    { name: 'pageRequestId', type: 'string', width: 23 },
    { name: 'vstRequestId', type: 'string', width: 16 },
  ],
  action: [
    { name: 'visitUserId', type: 'string', width: 64 },
    { name: 'sessionId', type: 'string', width: 50 },
    { name: 'requestType', type: 'string', width: 10 },
    { name: 'domain', type: 'string', width: 100 },
    { name: 'page', type: 'string', width: 1024 },
    { name: 'sendTime', type: 'int64' },
    { name: 'time', type: 'int64' },
    { name: 'href', type: 'string', width: 1024 },
    { name: 'requestValue', type: 'string', width: 1024 },
    { name: 'index', type: 'int64' },
    { name: 'info', type: 'string', width: 200 },
    { name: 'pageRequestId', type: 'string', width: 23 },
    { name: 'actionRequestId', type: 'string', width: 30 },
  ],
  action_tag: [
    { name: 'sendTime', type: 'int64' },
    { name: 'actionRequestId', type: 'string', width: 30 },
    { name: 'ruleId', type: 'string', width: 8 },
  ],
  custom_event: [
    { name: 'visitUserId', type: 'string', width: 64 },
    { name: 'sessionId', type: 'string', width: 50 },
    { name: 'time', type: 'int64' },
    { name: 'sendTime', type: 'int64' },
    { name: 'pageTime', type: 'int64' },
    { name: 'domain', type: 'string', width: 100 },
    { name: 'page', type: 'string', width: 1024 },
    { name: 'queryParameters', type: 'string', width: 1024 },
    { name: 'eventName', type: 'string', width: 50 },
    { name: 'eventNumber', type: 'double' },
    { name: 'eventVariable', type: 'map' },
    { name: 'loginUserId', type: 'string', width: 200 },
    { name: 'pageRequestId', type: 'string', width: 23 },
  ],
  ads_track_activation: [
    { name: 'visitUserId', type: 'string', width: 64 },
    { name: 'idfa', type: 'string', width: 40 },
    { name: 'imei', type: 'string', width: 40 },
    { name: 'uuid', type: 'string', width: 40 },
    { name: 'androidId', type: 'string', width: 40 },
    { name: 'ip', type: 'string', width: 15 },
    { name: 'userAgent', type: 'string', width: 512 },
    { name: 'platform', type: 'string', width: 20 },
    { name: 'operatingSystemVersion', type: 'string', width: 50 },
    { name: 'sendTime', type: 'int64' },
    { name: 'linkId', type: 'string', width: 20 },
    { name: 'campaignId', type: 'string', width: 20 },
    { name: 'channelId', type: 'string', width: 20 },
    { name: 'linkName', type: 'string', width: 60 },
    { name: 'campaignName', type: 'string', width: 60 },
    { name: 'channelName', type: 'string', width: 60 },
    { name: 'adsVariable', type: 'map' },
  ],
  ads_track_click: [
    { name: 'idfa', type: 'string', width: 40 },
    { name: 'imei', type: 'string', width: 40 },
    { name: 'uuid', type: 'string', width: 40 },
    { name: 'androidId', type: 'string', width: 40 },
    { name: 'ip', type: 'string', width: 15 },
    { name: 'userAgent', type: 'string', width: 512 },
    { name: 'platform', type: 'string', width: 20 },
    { name: 'operatingSystemVersion', type: 'string', width: 50 },
    { name: 'eventTime', type: 'int64' },
    { name: 'linkId', type: 'string' },
    { name: 'campaignId', type: 'string', width: 20 },
    { name: 'channelId', type: 'string', width: 20 },
    { name: 'linkName', type: 'string', width: 60 },
    { name: 'campaignName', type: 'string', width: 60 },
    { name: 'channelName', type: 'string', width: 60 },
    { name: 'adsVariable', type: 'map' },
  ],
  pvar: [
    { name: 'visitUserId', type: 'string', width: 64 },
    { name: 'sessionId', type: 'string', width: 50 },
    { name: 'time', type: 'int64' },
    { name: 'sendTime', type: 'int64' },
    { name: 'pageTime', type: 'int64' },
    { name: 'domain', type: 'string', width: 100 },
    { name: 'page', type: 'string', width: 1024 },
    { name: 'pageVariable', type: 'map' },
    { name: 'pageRequestId', type: 'string', width: 23 },
  ],
  evar: [
    { name: 'visitUserId', type: 'string', width: 64 },
    { name: 'sessionId', type: 'string', width: 50 },
    { name: 'time', type: 'int64' },
    { name: 'sendTime', type: 'int64' },
    { name: 'domain', type: 'string', width: 100 },
    { name: 'conversionVariable', type: 'map' },
  ],
  vstr: [
    { name: 'visitUserId', type: 'string', width: 64 },
    { name: 'sessionId', type: 'string', width: 50 },
    { name: 'time', type: 'int64' },
    { name: 'sendTime', type: 'int64' },
    { name: 'visitorVariable', type: 'map' },
  ],
} as const satisfies Record<string, readonly Column[]>;

/** One of the ten exported tables. */
export type DataType = keyof typeof COLUMNS;

/** The ten data types, in the order in which answers list them. Their place here is also their code on disk: append only. */
export const DATA_TYPES = Object.keys(COLUMNS) as readonly DataType[];

/** Gives the columns of a data type, in export order. */
export function columnsOf(dataType: DataType): readonly Column[] {
  return COLUMNS[dataType];
}

/** Says whether a text names a data type. */
export function isDataType(text: string): text is DataType {
  return Object.hasOwn(COLUMNS, text);
}

/** Gives the header line of a data type's packages, with its line end. Default: the documented columns. */
export function headerLine(dataType: DataType, columns: readonly Column[] = columnsOf(dataType)): string {
  return `${columns.map((column) => column.name).join(',')}\n`;
}
