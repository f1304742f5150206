/** Reads an export call: which hour or day, which data type, and how long the links are to live. */
import { isDataType, type DataType } from '../events/data-types.ts';
import { parseExportDate, type ExportDate } from '../events/hour.ts';

/** The parts of the path and the query, as they were sent. */
export type SentExportCall = {
  readonly exportType: string;
  /** Absent when all types are asked for. */
  readonly dataType?: string | undefined;
  readonly date: string;
  readonly query: URLSearchParams;
};

/** What the envelope repeats of a call, also of an unreadable one. */
export type ExportEcho = {
  readonly exportType: string;
  readonly dataType?: string | undefined;
  readonly exportDate: string;
};

export type ExportCall =
  | {
      readonly status: 'readable';
      readonly date: ExportDate;
      readonly dataType: DataType | undefined;
      readonly expireMinutes: number;
      readonly echo: ExportEcho;
    }
  | { readonly status: 'unreadable'; readonly errorMsg: string; readonly echo: ExportEcho };

/** The document calls the parameter by all three names. */
const EXPIRE_NAMES = ['expire', 'minutes', 'minute'] as const;
const DEFAULT_EXPIRE_MINUTES = 5;
const MAX_EXPIRE_MINUTES = 7 * 24 * 60;

/** An unreadable value comes back cut to this. */
const MAX_ECHO_LENGTH = 40;

/** Reads an export call. Looks at everything, so that the echo is complete, and names the first fault of the path's order. */
export function parseExportCall(sent: SentExportCall): ExportCall {
  const isExportType = sent.exportType === 'hour' || sent.exportType === 'day';
  const date = isExportType ? parseExportDate(sent.exportType, sent.date) : sent.date;
  const echo: ExportEcho = {
    exportType: sent.exportType.slice(0, MAX_ECHO_LENGTH),
    ...(sent.dataType !== undefined && { dataType: sent.dataType.slice(0, MAX_ECHO_LENGTH) }),
    exportDate: typeof date === 'string' ? sent.date.slice(0, MAX_ECHO_LENGTH) : date.echo,
  };
  const unreadable = (errorMsg: string): ExportCall => ({ status: 'unreadable', errorMsg, echo });
  if (!isExportType) return unreadable('The export type must be hour or day.');
  const { dataType } = sent;
  if (dataType !== undefined && !isDataType(dataType)) {
    return unreadable('There is no such data type; docs/api.md lists the ten there are.');
  }
  if (typeof date === 'string') return unreadable(date);
  const expireMinutes = parseExpireMinutes(sent.query);
  if (typeof expireMinutes === 'string') return unreadable(expireMinutes);
  return { status: 'readable', date, dataType, expireMinutes, echo };
}

/**
 * Reads how long links are to live; a sentence when it cannot be read. The document's URL always has `?expire=`, and its value is
 * optional: a script that was given none sends it empty.
 */
export function parseExpireMinutes(query: URLSearchParams): number | string {
  const name = EXPIRE_NAMES.find((candidate) => query.getAll(candidate).some((text) => text !== ''));
  if (name === undefined) return DEFAULT_EXPIRE_MINUTES;
  const [text = '', ...more] = query.getAll(name);
  const minutes = more.length === 0 && /^\d{1,5}$/.test(text) ? Number(text) : NaN;
  if (minutes >= 1 && minutes <= MAX_EXPIRE_MINUTES) return minutes;
  return `${name} must be a whole number of minutes from 1 to ${MAX_EXPIRE_MINUTES}.`;
}
