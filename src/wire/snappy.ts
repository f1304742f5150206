/**
 * Decodes one raw snappy block (no frame), as Android, HarmonyOS and Java SDKs send it.
 *
 * The library snappyjs does the copying. It trusts its input, though: 0.7.0 loops for ever on a literal of a negative length,
 * reads zeros where a copy is cut off or refers ahead, drops what is written past the end, and does not notice when less came
 * out than the header says. So the block's tags are walked first: every length and offset is checked and summed up, nothing is
 * allocated before the sum equals the header's length, and the library sees only blocks that are whole.
 *
 * Format: https://github.com/google/snappy/blob/main/format_description.txt. Cost: the walk reads the tags only. At most 64 bytes
 * come out for 3 that go in.
 */
import { uncompress } from 'snappyjs';
import { AppError } from '../errors/app-error.ts';

const MAX_HEADER_BYTES = 5;
const LITERAL = 0;
const COPY_1_BYTE_OFFSET = 1;
const COPY_2_BYTE_OFFSET = 2;

/**
 * Decodes the block.
 * @throws AppError undecodable_body when it is no whole snappy block; too_large when it decodes past `maxDecodedBytes`.
 */
export function decodeSnappy(input: Buffer, maxDecodedBytes: number): Buffer {
  const header = readHeader(input);
  checkTags(input, header.end, header.decodedBytes);
  if (header.decodedBytes > maxDecodedBytes) {
    throw new AppError('too_large', `it decodes past ${maxDecodedBytes} bytes`);
  }
  try {
    return uncompress(input);
  } catch (cause) {
    // Literals shorter than 61 bytes in the long form: allowed by the format, written by no known encoder, refused by the library.
    throw new AppError('undecodable_body', 'the snappy block has a form that snappyjs does not read', { cause });
  }
}

/** Reads the decoded length that the block begins with: a little-endian varint of at most 32 bits. */
function readHeader(input: Buffer): { readonly decodedBytes: number; readonly end: number } {
  let decodedBytes = 0;
  for (let at = 0; at < Math.min(input.length, MAX_HEADER_BYTES); at += 1) {
    const byte = input[at]!;
    decodedBytes += (byte & 0x7f) * 2 ** (7 * at);
    if (decodedBytes > 0xffff_ffff) break;
    if (byte < 0x80) return { decodedBytes, end: at + 1 };
  }
  throw undecodable('the snappy block does not begin with a length');
}

/** Walks all tags. @throws AppError unless each one is whole, refers to earlier output and they sum up to `claimedBytes`. */
function checkTags(input: Buffer, from: number, claimedBytes: number): void {
  let at = from;
  let size = 0;
  while (at < input.length) {
    const tag = input[at]!;
    const kind = tag & 3;
    if (kind === LITERAL) {
      const shortLength = tag >>> 2;
      const lengthBytes = shortLength < 60 ? 0 : shortLength - 59;
      at += 1 + lengthBytes;
      if (at > input.length) throw undecodable('the snappy block ends inside a tag');
      const literalBytes = 1 + (lengthBytes === 0 ? shortLength : input.readUIntLE(at - lengthBytes, lengthBytes));
      at += literalBytes;
      size += literalBytes;
      if (at > input.length) throw undecodable('the snappy block ends inside a literal');
    } else {
      const tagBytes = kind === COPY_1_BYTE_OFFSET ? 2 : kind === COPY_2_BYTE_OFFSET ? 3 : 5;
      if (at + tagBytes > input.length) throw undecodable('the snappy block ends inside a tag');
      const distance =
        kind === COPY_1_BYTE_OFFSET ? ((tag >>> 5) << 8) | input[at + 1]! : input.readUIntLE(at + 1, tagBytes - 1);
      if (distance === 0 || distance > size) throw undecodable('the snappy block refers to before its start');
      at += tagBytes;
      size += kind === COPY_1_BYTE_OFFSET ? ((tag >>> 2) & 7) + 4 : (tag >>> 2) + 1;
    }
    if (size > claimedBytes) throw undecodable('the snappy block holds more than its length says');
  }
  if (size < claimedBytes) throw undecodable('the snappy block holds less than its length says');
}

function undecodable(reason: string): AppError {
  return new AppError('undecodable_body', reason);
}
