/** Reads one line of rejected events, as `tidegate rejected download` and the API write it, maybe edited since. */
import { AppError } from '../errors/app-error.ts';
import { isWireObject } from '../events/check-event.ts';
import type { Hour } from '../events/hour.ts';
import { PATH_PLATFORMS } from '../events/map-events.ts';
import { readInteger, readText } from '../events/wire-value.ts';
import type { RejectedId } from '../exports/rejected-events.ts';
import { parseElements } from '../wire/json-array.ts';
import { DEFAULT_WIRE_LIMITS } from '../wire/wire-limits.ts';
import { placeOf, type NdjsonLine } from './ndjson-lines.ts';

export type RejectedRecord = {
  readonly id: RejectedId;
  readonly sendTimeMs: number;
  readonly pathWord: string;
  readonly ip: string | null;
  readonly userAgent: string | null;
  /** Undefined when only the beginning of the event was kept. */
  readonly event: unknown;
};

/** A line holds an event of at most 1 MiB, which its JSON may write longer than it came. */
export const MAX_RECORD_BYTES = 8 * 1024 * 1024;
const LIMITS = {
  ...DEFAULT_WIRE_LIMITS,
  maxElementBytes: MAX_RECORD_BYTES,
  maxDepth: DEFAULT_WIRE_LIMITS.maxDepth + 1,
};

export type RecordOrigin = {
  /** Takes an id apart if it is one of the project. */
  readonly parseId: (id: string) => RejectedId | undefined;
  /** Hours before this one are not kept; what was replayed of them is forgotten. */
  readonly keptFrom: Hour;
};

/** Parses a line. @throws AppError replay_invalid, naming the line and what is wrong with it */
export function parseRejectedRecord(line: NdjsonLine, { parseId, keptFrom }: RecordOrigin): RejectedRecord {
  const value = parseJson(line);
  if (!isWireObject(value)) throw invalid(line, 'it is no JSON object');
  const id = parseId(readText(value.id) ?? '');
  if (!id) throw invalid(line, 'its id is not that of a rejected event of this project; leave it as it was downloaded');
  if (id.hour < keptFrom) throw invalid(line, 'its hour is past retention, and what was replayed of it is forgotten');
  const sendTimeMs = readInteger(value.sendTime);
  if (sendTimeMs === null) throw invalid(line, 'sendTime must be as it was downloaded');
  const pathWord = readText(value.platform) ?? '';
  if (!Object.hasOwn(PATH_PLATFORMS, pathWord))
    throw invalid(line, `platform must be one of ${Object.keys(PATH_PLATFORMS).join(', ')}`);
  const { ip, userAgent, event } = value;
  return { id, sendTimeMs, pathWord, ip: readText(ip), userAgent: readText(userAgent), event };
}

function parseJson(line: NdjsonLine): unknown {
  try {
    return parseElements(line.bytes, LIMITS).values[0];
  } catch (error) {
    throw invalid(line, error instanceof Error ? error.message : String(error));
  }
}

function invalid(line: NdjsonLine, what: string): AppError {
  return new AppError('replay_invalid', `${placeOf(line)}: ${what}.`);
}
