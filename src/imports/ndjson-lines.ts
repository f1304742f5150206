/** Cuts a stream of bytes into lines, bounded: a line is never larger than it may be, whatever the file is. */
import { createReadStream } from 'node:fs';
import { AppError } from '../errors/app-error.ts';

/** A stream of NDJSON and what to call it in a message. */
export type NdjsonSource = { readonly name: string; readonly bytes: AsyncIterable<Buffer> };

export type NdjsonLine = { readonly source: string; readonly bytes: Buffer; readonly number: number };

/** Says where a line stands, for the beginning of a message. */
export function placeOf({ source, number }: Pick<NdjsonLine, 'source' | 'number'>): string {
  return `${source}, line ${number}`;
}

const LINE_FEED = 0x0a;
const READ_BYTES = 1024 * 1024;

/** Gives the file of this name as a source, or standard input for `-`. What is wrong with a file is thrown when it is read. */
export function sourceOf(path: string): NdjsonSource {
  return path === '-' ? { name: 'standard input', bytes: process.stdin } : { name: path, bytes: readFile(path) };
}

/** Opens a file when its first bytes are asked for: a stream that nobody reads yet ends the program by its error. */
async function* readFile(path: string): AsyncGenerator<Buffer> {
  yield* createReadStream(path, { highWaterMark: READ_BYTES }) as AsyncIterable<Buffer>;
}

/** Gives the lines of a stream that are not blank, with their numbers from 1, as many at once as came. @throws AppError import_invalid for a long line */
export async function* readLines(
  source: NdjsonSource,
  maxLineBytes: number,
  onBytes: (bytes: number) => void,
): AsyncGenerator<readonly NdjsonLine[]> {
  let rest: Buffer = Buffer.alloc(0);
  let number = 0;
  for await (const chunk of source.bytes) {
    onBytes(chunk.length);
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    const lines: NdjsonLine[] = [];
    let start = 0;
    for (let end = bytes.indexOf(LINE_FEED); end >= 0; end = bytes.indexOf(LINE_FEED, start)) {
      number += 1;
      if (!isBlank(bytes, start, end)) lines.push({ source: source.name, bytes: bytes.subarray(start, end), number });
      start = end + 1;
    }
    if (lines.length > 0) yield lines;
    rest = bytes.subarray(start);
    if (rest.length > maxLineBytes) {
      throw new AppError(
        'import_invalid',
        `${placeOf({ source: source.name, number: number + 1 })} is longer than ${maxLineBytes} bytes. Is this NDJSON, one event a line?`,
      );
    }
  }
  if (!isBlank(rest, 0, rest.length)) yield [{ source: source.name, bytes: rest, number: number + 1 }];
}

function isBlank(bytes: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at += 1)
    if (bytes[at] !== 0x20 && bytes[at] !== 0x0d && bytes[at] !== 0x09) return false;
  return true;
}
