/**
 * What the documents say of the rows that an event makes, written down a second time and without a look at src/: the keys and widths of
 * every column that an SDK fills, and how a value is read into it. For the test that sends anything and compares everything.
 */
import { EXPORT_COLUMNS, type TableRow } from './export-rows.ts';

/** A number in the digits in which it is sent. */
export class WireNumber {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

export type WireEvent = Readonly<Record<string, unknown>>;

/** What a request says beside its events. */
export type RequestFacts = {
  readonly platform: string;
  readonly isWeb: boolean;
  readonly ip: string;
  readonly userAgent: string;
  /** The system that the user agent names, and its name with the version. */
  readonly system: string;
  readonly systemAndVersion: string;
  readonly sendTime: string;
};

export type ModelledType = 'visit' | 'page' | 'action' | 'custom_event' | 'pvar' | 'evar' | 'vstr';
/** A row, and the time of the page that it is on. */
export type ModelledRow = { readonly dataType: ModelledType; readonly row: TableRow; readonly pageTime: string | null };

/** The data types of the events that are exported. */
export const TYPES: Readonly<Record<string, ModelledType>> = {
  vst: 'visit', page: 'page', clck: 'action', chng: 'action', sbmt: 'action', cstm: 'custom_event', pvar: 'pvar', evar: 'evar', vstr: 'vstr',
}; // prettier-ignore

const VISITOR = 'visitUserId=u/64 sessionId=s/50 time=tm#';
/** Columns with their keys, the first that has a value: texts with their width, # integers, ~ doubles, % maps. */
const COLUMNS: Readonly<Record<ModelledType, string>> = {
  visit: `${VISITOR} accountVersion=av/20 domain=d/100 page=p/1024 queryParameters=q/1024 referrer=rf,rp/1024 language=l/10 screenHeight=sh/10
    screenWidth=sw/10 operatingSystem=os/30 operatingSystemVersion=osv/50 clientVersion=cv/50 channel=ch/40 deviceBrand=db/20 deviceModel=dm/50
    deviceType=ph/50 deviceOrientation=o/10 latitude=lat~ longitude=lng~ idfa=ui/40 androidId=adrid/16 IMEI=imei/16`,
  page: `${VISITOR} domain=d/100 page=p/1024 queryParameters=q/1024 referrer=rf/1024 referrerPage=rp/1024 title=tl/1024 deviceOrientation=o/10
    loginUserId=cs1/200 pageGroup=pg/200 appVariable=var% customerAttributes2=cs2/200 customerAttributes10=cs10/200 pageAttributes1=ps1/200
    pageAttributes10=ps10/200`,
  action: 'visitUserId=u/64 sessionId=s/50 requestType=t/10 domain=d/100 page=p/1024',
  custom_event: `${VISITOR} pageTime=ptm# domain=d/100 page=p/1024 queryParameters=q/1024 eventName=n/50 eventNumber=num~ eventVariable=var%
    loginUserId=cs1/200`,
  pvar: `${VISITOR} pageTime=ptm# domain=d/100 page=p/1024 pageVariable=var%`,
  evar: `${VISITOR} domain=d/100 conversionVariable=var%`,
  vstr: `${VISITOR} visitorVariable=var%`,
};
const ELEMENT_COLUMNS = 'href=h/1024 requestValue=v/1024 index=idx# info=obj/200';

/** Keys of events of this type that fill columns. */
export function keysOf(dataType: ModelledType): readonly string[] {
  return [...COLUMNS[dataType].matchAll(/=([\w,]+)/g)].flatMap(([, keys]) => keys!.split(','));
}

/** Gives the rows that an event makes, without ids. The domain of the page it is on, if it names none itself, is `pageDomain`. */
export function modelRows(
  event: WireEvent,
  facts: RequestFacts,
  pageDomain: (pageTime: string) => unknown,
): ModelledRow[] {
  const dataType = TYPES[String(event.t)];
  if (dataType === undefined) return [];
  const pageTime = readInteger(event.ptm);
  const row: Record<string, string | null> = { ...emptyRow(dataType), ...readColumns(COLUMNS[dataType], event) };
  row.sendTime = facts.sendTime;
  if ((dataType === 'custom_event' || dataType === 'pvar') && isMissing(event.d) && pageTime !== null)
    row.domain = cut(readText(pageDomain(pageTime)), 100);
  if (dataType === 'visit' || dataType === 'page')
    row.platform = cut(event.b === '' ? facts.platform : (readText(event.b) ?? facts.platform), 20);
  if (dataType === 'visit') {
    row.ip = facts.ip;
    row.userAgent = facts.userAgent;
    if (facts.isWeb && isMissing(event.os)) row.operatingSystem = facts.system;
    if (facts.isWeb && isMissing(event.osv)) row.operatingSystemVersion = facts.systemAndVersion;
  }
  if (dataType !== 'action') return [{ dataType, row, pageTime }];
  return (event.e as readonly WireEvent[]).map((element) => {
    const time = readInteger(element.tm) ?? readInteger(event.tm);
    return { dataType, pageTime, row: { ...row, ...readColumns(ELEMENT_COLUMNS, element), time } };
  });
}

function emptyRow(dataType: ModelledType): Record<string, string | null> {
  return Object.fromEntries(EXPORT_COLUMNS[dataType].map((column) => [column, null]));
}

function readColumns(columns: string, from: WireEvent): Record<string, string | null> {
  const row: Record<string, string | null> = {};
  for (const [, column, keys, kind, width] of columns.matchAll(/(\w+)=([\w,]+?)(?:([#~%])|\/(\d+))(?=\s|$)/g)) {
    const value = keys!.split(',').map((key) => from[key]).find((each) => !isMissing(each)); // prettier-ignore
    row[column!] =
      kind === '#' ? readInteger(value) : kind === '~' ? readDouble(value) : kind === '%' ? readMap(value) : cut(readText(value), Number(width)); // prettier-ignore
  }
  return row;
}

const isMissing = (value: unknown): boolean => value === undefined || value === null;

/** Reads a text as the documents say: numbers in their digits, booleans in words, objects as JSON. */
export function readText(value: unknown): string | null {
  if (isMissing(value)) return null;
  if (typeof value === 'string') return value;
  return value instanceof WireNumber ? value.text : JSON.stringify(value);
}

export function readInteger(value: unknown): string | null {
  const text = value instanceof WireNumber ? value.text : typeof value === 'string' ? value.trim() : '';
  return /^-?\d{1,15}(\.0+)?$/.test(text) ? String(Number(text)) : null;
}

function readDouble(value: unknown): string | null {
  const text = value instanceof WireNumber ? value.text : typeof value === 'string' ? value.trim() : '';
  if (!/^-?\d+(\.\d+)?([eE][+-]?\d+)?$/.test(text)) return null;
  const number = Number(text);
  // Never in scientific notation.
  return String(number).includes('e') ? number.toFixed(20).replace(/\.?0+$/, '') : String(number);
}

/** Gives a map in one order of its keys. */
function readMap(value: unknown): string | null {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || value instanceof WireNumber) return null;
  const entries = Object.entries(value).filter(([, each]) => !isMissing(each));
  return sortedMap(Object.fromEntries(entries.map(([key, each]) => [cut(key, 50), cut(readText(each), 1000)])));
}

/** Writes a map's JSON with its keys in order; null when it is empty. */
export function sortedMap(map: Readonly<Record<string, unknown>>): string | null {
  const keys = Object.keys(map).sort();
  return keys.length === 0 ? null : JSON.stringify(keys.map((key) => [key, map[key]]));
}

function cut<T extends string | null>(text: T, width: number): T {
  return (text === null ? null : Array.from(text).slice(0, width).join('')) as T;
}
