/**
 * Reads one line of an import: a wire event with what its request would have said beside it.
 *
 * `sendTime` (ms) and `platform` (the word of the collector's path) are the import's own keys; `ip` and `userAgent` may be given
 * too. They are taken off before the event is mapped, so that a row has the same id as if the event had come by HTTP.
 */
import { AppError } from '../errors/app-error.ts';
import { isWireObject } from '../events/check-event.ts';
import { PATH_PLATFORMS } from '../events/map-events.ts';
import { readInteger, readText } from '../events/wire-value.ts';
import { parseElements, type OversizeElement } from '../wire/json-array.ts';
import { DEFAULT_WIRE_LIMITS } from '../wire/wire-limits.ts';
import { placeOf, type NdjsonLine } from './ndjson-lines.ts';

export type ImportLine = {
  readonly sendTimeMs: number;
  readonly pathWord: string;
  readonly ip: string | null;
  readonly userAgent: string | null;
  readonly event: unknown;
};

const MIN_SEND_TIME_MS = 1_000_000_000_000; // 13 digits; in seconds it would have 10
const MAX_SEND_TIME_MS = 9_999_999_999_999;

/** Parses a line. @throws AppError import_invalid, naming the line and what is wrong with it */
export function parseImportLine(line: NdjsonLine): ImportLine {
  const value = parseJson(line);
  if (!isWireObject(value)) throw invalid(line, 'it is no JSON object');
  const { sendTime, platform, ip, userAgent, ...event } = value;
  const sendTimeMs = readInteger(sendTime);
  if (sendTimeMs === null || sendTimeMs < MIN_SEND_TIME_MS || sendTimeMs > MAX_SEND_TIME_MS) {
    throw invalid(line, 'sendTime must be Unix milliseconds (13 digits)');
  }
  const pathWord = readText(platform) ?? '';
  if (!Object.hasOwn(PATH_PLATFORMS, pathWord)) {
    throw invalid(line, `platform must be one of ${Object.keys(PATH_PLATFORMS).join(', ')}`);
  }
  return { sendTimeMs, pathWord, ip: readText(ip), userAgent: readText(userAgent), event };
}

function parseJson(line: NdjsonLine): unknown {
  let elements: { readonly values: readonly unknown[]; readonly oversize: ReadonlyMap<number, OversizeElement> };
  try {
    elements = parseElements(line.bytes, DEFAULT_WIRE_LIMITS);
  } catch (error) {
    throw invalid(line, error instanceof Error ? error.message : String(error));
  }
  const oversize = elements.oversize.get(0);
  if (oversize) throw invalid(line, `the event has ${oversize.bytes} bytes, more than one event may have`);
  if (line.bytes[line.bytes.findIndex((byte) => byte > 0x20)] === 0x5b)
    throw invalid(line, 'it is an array; write one event a line');
  return elements.values[0];
}

function invalid(line: NdjsonLine, what: string): AppError {
  return new AppError('import_invalid', `${placeOf(line)}: ${what}.`);
}
