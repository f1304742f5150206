/**
 * The small JSON files of the log, which say what of an hour counts: `format.json`, `seal.json`, `ready.json`, `commit.json`.
 *
 * One flipped bit in such a file could turn a list into no list, or a length into a smaller one, and with it acknowledged rows into
 * none. So each ends with a checksum of what stands before it, and its shape is checked, which is all there is for files that were
 * written before there was a checksum.
 */
import { crc32 } from 'node:zlib';
import { AppError } from '../../errors/app-error.ts';
import { shortPath } from './layout.ts';

const CHECKSUM = /,"crc32":"([0-9a-f]{8})"\}\n?$/;

/** Builds the file's text: the value as JSON, with the checksum for its last member. */
export function buildCheckedJson(value: object): string {
  const before = JSON.stringify(value).slice(0, -1);
  return `${before},"crc32":"${checksumOf(before)}"}\n`;
}

/**
 * Parses such a file. `path` is for the message only.
 * @throws AppError store_corrupt
 */
export function parseCheckedJson<Value extends object>(
  text: string,
  path: string,
  isValue: (value: object) => value is Value,
): Value {
  const checksum = CHECKSUM.exec(text);
  const before = checksum ? text.slice(0, checksum.index) : undefined;
  if (before !== undefined && checksumOf(before) !== checksum?.[1]) throw damaged(path, 'its checksum does not fit');
  const value = parseObject(before === undefined ? text : `${before}}`);
  if (value === undefined) throw damaged(path, 'it is no JSON');
  if (!isValue(value)) throw damaged(path, 'it does not say what it should');
  return value;
}

/** Says whether an object has these members and no other. */
export function hasExactly(value: unknown, ...names: readonly string[]): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) return false;
  return Object.keys(value).length === names.length && names.every((name) => Object.hasOwn(value, name));
}

/** Says whether this is a list whose every entry fits. */
export function isListOf(value: unknown, fits: (entry: unknown) => boolean): boolean {
  return Array.isArray(value) && value.every(fits);
}

export function isText(value: unknown): boolean {
  return typeof value === 'string';
}

export function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

function parseObject(text: string): object | undefined {
  try {
    const value = JSON.parse(text) as unknown;
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

function checksumOf(text: string): string {
  return crc32(text).toString(16).padStart(8, '0');
}

function damaged(path: string, what: string): AppError {
  return new AppError('store_corrupt', `The file ${shortPath(path)} is damaged: ${what}.`);
}
