/**
 * Decodes one raw LZ4 block (no frame, no length prefix), as iOS SDKs send it.
 *
 * Format: https://github.com/lz4/lz4/blob/dev/doc/lz4_Block_format.md. A block does not say how long its content is, so it is
 * walked twice by the same code: first only to check every length and offset and to measure, then to write into a buffer of
 * exactly that size. A bomb is thus refused before anything is allocated, and nothing has to grow.
 *
 * Cost: the measuring walk reads the tokens only. At most 255 bytes come out for each byte that goes in.
 */
import { AppError } from '../errors/app-error.ts';
import { copyForward } from './copy-forward.ts';

const MIN_MATCH_BYTES = 4;
const EXTENDED = 15;

/**
 * Decodes the block.
 * @throws AppError undecodable_body when it is no whole LZ4 block; too_large when it decodes past `maxDecodedBytes`.
 */
export function decodeLz4Block(input: Buffer, maxDecodedBytes: number): Buffer {
  const size = walkBlock(input, undefined, maxDecodedBytes);
  const output = Buffer.allocUnsafe(size);
  walkBlock(input, output, size);
  return output;
}

/** Walks the block, writing to `output` when there is one, and returns how many bytes it decodes to. */
function walkBlock(input: Buffer, output: Buffer | undefined, maxDecodedBytes: number): number {
  let at = 0;
  let size = 0;
  while (at < input.length) {
    const token = input[at]!;
    at += 1;

    let literalBytes = token >>> 4;
    if (literalBytes === EXTENDED) {
      const end = endOfExtension(input, at);
      literalBytes += extensionValue(input, at, end);
      at = end;
    }
    if (at + literalBytes > input.length) throw undecodable('the LZ4 block ends inside a literal');
    if (output !== undefined) input.copy(output, size, at, at + literalBytes);
    at += literalBytes;
    size += literalBytes;
    // Literals follow every match, so that this counts the match before too.
    if (size > maxDecodedBytes) throw new AppError('too_large', `it decodes past ${maxDecodedBytes} bytes`);
    if (at === input.length) return size; // the last sequence is a literal without a match

    if (at + 2 > input.length) throw undecodable('the LZ4 block ends inside an offset');
    const distance = input.readUInt16LE(at);
    at += 2;
    if (distance === 0 || distance > size) throw undecodable('the LZ4 block refers to before its start');

    let matchBytes = (token & EXTENDED) + MIN_MATCH_BYTES;
    if ((token & EXTENDED) === EXTENDED) {
      const end = endOfExtension(input, at);
      matchBytes += extensionValue(input, at, end);
      at = end;
    }
    if (output !== undefined) copyForward(output, size, distance, matchBytes);
    size += matchBytes;
  }
  throw undecodable('the LZ4 block does not end in a literal');
}

/** Finds the end of a length's extension: any number of 255, then one smaller byte. */
function endOfExtension(input: Buffer, from: number): number {
  let at = from;
  while (at < input.length && input[at] === 255) at += 1;
  if (at === input.length) throw undecodable('the LZ4 block ends inside a length');
  return at + 1;
}

function extensionValue(input: Buffer, from: number, end: number): number {
  return 255 * (end - from - 1) + input[end - 1]!;
}

function undecodable(reason: string): AppError {
  return new AppError('undecodable_body', reason);
}
