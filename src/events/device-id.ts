/**
 * What counts as the id of a device: IMEI, Android id, OAID, IDFA, IDFV, whatever SDK or ad platform names it.
 *
 * An id that many devices share, or that a platform has not filled in, is none: it would make all of them one device.
 */
import { readText } from './wire-value.ts';

/** As wide as the columns that show them; nothing longer is an id of a device. */
const ID_WIDTH = 40;
/** An OAID may be longer. */
export const OAID_WIDTH = 64;

/** Words that stand where an id should. */
const PLACEHOLDERS = new Set([
  ...['null', 'nil', 'none', 'undefined', 'unknown', 'nan', 'n/a', 'false', 'true', 'default', 'empty'],
  ...['idfa', 'idfv', 'imei', 'oaid', 'uuid', 'androidid', 'android_id', 'android-id', 'deviceid', 'ip', 'ua'],
  '9774d56d682e549c', // the Android id of emulators and of many devices of 2010
]);

/** Reads the id of a device; null when it is missing, a placeholder, or all of one character. */
export function readDeviceId(value: unknown, width: number = ID_WIDTH): string | null {
  const id = readText(value)?.trim().toLowerCase() ?? '';
  const digits = id.replaceAll(/[-:._ ]/g, '');
  if (digits === '' || id.length > width || PLACEHOLDERS.has(id)) return null;
  if (/^(.)\1*$/u.test(digits) || /^(__.*|[{[<$%#].*)$/.test(id)) return null;
  return id;
}
