/**
 * Hours and days: the only module that does hour arithmetic, and the only one that knows Beijing time.
 *
 * An `Hour` is the number of whole hours since the Unix epoch, so hour H covers [H, H+1) × 3,600,000 ms of send time. Beijing is
 * UTC+8 without daylight saving since 1991, so a Beijing hour is a UTC hour under another name and a Beijing day is 24 of them.
 */

/** One hour of send time: whole hours since the Unix epoch. */
export type Hour = number & { readonly __hour: unique symbol };

/** A half-open range of hours [from, until). */
export type HourRange = { readonly from: Hour; readonly until: Hour };

export const HOUR_MS = 3_600_000;
export const HOURS_PER_DAY = 24;
const BEIJING_OFFSET_MS = 8 * HOUR_MS;

/** Finds the hour that holds this instant. */
export function hourOf(instantMs: number): Hour {
  return Math.floor(instantMs / HOUR_MS) as Hour;
}

/** Gives the first millisecond of the hour. */
export function hourStartMs(hour: Hour): number {
  return hour * HOUR_MS;
}

/** Gives the first millisecond after the hour. */
export function hourEndMs(hour: Hour): number {
  return (hour + 1) * HOUR_MS;
}

/** Moves by whole hours. */
export function addHours(hour: Hour, hours: number): Hour {
  return (hour + hours) as Hour;
}

/** Reads an hour that was stored as an integer. @throws RangeError when it is none. */
export function hourFromInteger(value: number): Hour {
  if (!Number.isSafeInteger(value)) throw new RangeError(`${value} is no hour`);
  return value as Hour;
}

/** Gives the 24 hours of the Beijing day that this hour lies in. */
export function beijingDayOf(hour: Hour): HourRange {
  const from = (Math.floor((hour + 8) / HOURS_PER_DAY) * HOURS_PER_DAY - 8) as Hour;
  return { from, until: addHours(from, HOURS_PER_DAY) };
}

/** Writes the hour as yyyyMMddHH in Beijing time, as requests name it. */
export function formatBeijingHour(hour: Hour): string {
  return compactDigits(hourStartMs(hour) + BEIJING_OFFSET_MS).slice(0, 10);
}

/** Writes the hour as yyyyMMddHHmm in UTC, as file names have it. */
export function formatUtcHour(hour: Hour): string {
  return compactDigits(hourStartMs(hour)).slice(0, 12);
}

/** Reads an hour back from `formatUtcHour`'s twelve digits; undefined when it is no such text. */
export function parseUtcHour(text: string): Hour | undefined {
  const match = /^(\d{4})(\d{2})(\d{2})(\d{2})00$/.exec(text);
  if (!match) return undefined;
  const [, year, month, day, hour] = match.map(Number) as [number, number, number, number, number];
  const instantMs = Date.UTC(year, month - 1, day, hour);
  return formatUtcHour(hourOf(instantMs)) === text ? hourOf(instantMs) : undefined;
}

/** Reads an hour back from `formatBeijingHour`'s ten digits; undefined when it is no such text. */
export function parseBeijingHour(text: string): Hour | undefined {
  const asUtc = parseUtcHour(`${text}00`);
  return asUtc === undefined ? undefined : addHours(asUtc, -BEIJING_OFFSET_MS / HOUR_MS);
}

/** Writes an instant as `yyyy-MM-dd HH:mm` in UTC, the form of requestTime. */
export function formatRequestTime(instantMs: number): string {
  return new Date(instantMs).toISOString().slice(0, 16).replace('T', ' ');
}

/** What an export call's date means, and the text to echo. */
export type ExportDate =
  | { readonly exportType: 'hour'; readonly echo: string; readonly hours: HourRange }
  | { readonly exportType: 'day'; readonly echo: string; readonly hours: HourRange };

/**
 * Reads the date of an export call, in Beijing time, as the API document cuts it.
 *
 * `day` takes 8, 10 or 12 digits and looks at yyyyMMdd alone. `hour` takes 10 or 12 and looks at yyyyMMddHH; hour 24 means hour
 * 00 of the next day, because some clients count hours from 01 to 24. Returns a sentence when the text is no such date.
 */
export function parseExportDate(exportType: 'hour' | 'day', text: string): ExportDate | string {
  if (!/^(\d{8}|\d{10}|\d{12})$/.test(text)) {
    return `The date must have 8, 10 or 12 digits (yyyyMMdd, yyyyMMddHH or yyyyMMddHHmm in Beijing time).`;
  }
  const dayStartMs = beijingMidnightMs(text);
  if (dayStartMs === undefined) return `${text.slice(0, 8)} is no day of the calendar; write yyyyMMdd in Beijing time.`;
  const midnight = hourOf(dayStartMs);
  if (exportType === 'day') {
    return { exportType, echo: text.slice(0, 8), hours: { from: midnight, until: addHours(midnight, HOURS_PER_DAY) } };
  }
  if (text.length === 8) return `An hour call needs the hour: write yyyyMMddHH in Beijing time, such as ${text}00.`;
  const hourOfDay = Number(text.slice(8, 10));
  if (hourOfDay > 24) return `${text.slice(8, 10)} is no hour; write 00 to 23 (24 means 00 of the next day).`;
  const from = addHours(midnight, hourOfDay);
  return { exportType, echo: text.slice(0, 10), hours: { from, until: addHours(from, 1) } };
}

function beijingMidnightMs(text: string): number | undefined {
  const [year, month, day] = [text.slice(0, 4), text.slice(4, 6), text.slice(6, 8)].map(Number) as [
    number,
    number,
    number,
  ];
  if (year < 1970) return undefined;
  const utcMs = Date.UTC(year, month - 1, day);
  if (compactDigits(utcMs).slice(0, 8) !== text.slice(0, 8)) return undefined; // 20260231 would roll over into March
  return utcMs - BEIJING_OFFSET_MS;
}

/** yyyyMMddHHmmss… of an instant in UTC, digits only. */
function compactDigits(instantMs: number): string {
  return new Date(instantMs).toISOString().replace(/\D/g, '');
}
