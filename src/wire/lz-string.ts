/**
 * Decodes LZ-String, the LZW variant that web SDKs use, straight to UTF-8.
 *
 * Not the npm library, because its output has no bound: its dictionary holds whole strings, and 100 KiB of input can ask for
 * gigabytes. Here the output itself is the dictionary: in LZW every entry is a piece of what has been written so far (the word
 * before, and the character that followed it there), so an entry is only a start and a length. That is also twice as fast.
 *
 * The input is the bit stream (lz-string-text.ts makes it from the text forms). Codes are `width` bits, the lowest bit first, in
 * bytes read from the highest bit down; `width` grows by one each time the dictionary has filled it. Code 0 brings a character of
 * 8 bits, 1 one of 16 bits, 2 is the end, 3 and more are dictionary entries.
 *
 * Characters are UTF-16 units, and a surrogate pair may be cut by the end of an entry. So each surrogate is written as three
 * bytes of its own and, only if there were any, pairs are joined at the end; a lone one becomes U+FFFD. A pair counts as six
 * bytes against the bound.
 *
 * Cost: a step for each code, and the bytes of the output. The output buffer grows by doubling, so that it never holds more than
 * twice what has come out (1 MiB at first for a large body), and never passes the bound; the dictionary takes 8 bytes for each
 * code read, at most 16.
 */
import { AppError } from '../errors/app-error.ts';
import { BitReader } from './bit-reader.ts';
import { copyForward } from './copy-forward.ts';
import { joinSurrogates } from './join-surrogates.ts';

const CODE_8_BIT_CHARACTER = 0;
const CODE_16_BIT_CHARACTER = 1;
const CODE_END = 2;
const FIRST_ENTRY = 3;
const FIRST_WIDTH = 3;

// First sizes that fit most bodies, and that garbage does not get much out of.
const MAX_FIRST_OUTPUT_BYTES = 1 << 20;
const MAX_FIRST_ENTRIES = 1 << 16;

/**
 * Decodes the bit stream.
 * @throws AppError undecodable_body when it is no whole LZ-String; too_large when it decodes past `maxDecodedBytes`.
 */
export function decodeLzString(input: Uint8Array, maxDecodedBytes: number): Buffer {
  const reader = new BitReader(input);
  const output = new Output(input.length, maxDecodedBytes);
  const entries = new Entries(input.length);

  const firstCode = reader.read(2);
  if (firstCode === CODE_END) return output.finish();
  if (firstCode > CODE_END) throw undecodable('the LZ-String does not begin with a character');
  output.appendUnit(reader.read(firstCode === CODE_8_BIT_CHARACTER ? 8 : 16));
  entries.add(0, output.length);

  let wordStart = 0; // the word before, whose entry is made as soon as the character after it is known
  let wordBytes = output.length;
  let width = FIRST_WIDTH;
  for (;;) {
    const code = reader.read(width);
    if (code === CODE_END) return output.finish();
    const start = output.length;
    if (code <= CODE_16_BIT_CHARACTER) {
      output.appendUnit(reader.read(code === CODE_8_BIT_CHARACTER ? 8 : 16));
      entries.add(start, output.length - start);
    } else if (code < entries.nextCode) {
      output.appendCopy(entries.startOf(code), entries.bytesOf(code));
    } else if (code === entries.nextCode) {
      output.appendCopy(wordStart, wordBytes + output.characterBytes(wordStart)); // the entry that this very step makes
    } else {
      throw undecodable('the LZ-String names a word that it has not made');
    }
    entries.add(wordStart, wordBytes + output.characterBytes(start));
    wordStart = start;
    wordBytes = output.length - start;
    if (entries.nextCode >= 1 << width) width += 1;
  }
}

/** The decoded text so far, as UTF-8 in which surrogates are still apart. */
class Output {
  length = 0;
  readonly #maxBytes: number;
  #bytes: Buffer;
  #hasSurrogates = false;

  constructor(inputBytes: number, maxBytes: number) {
    this.#maxBytes = maxBytes;
    this.#bytes = Buffer.allocUnsafe(Math.min(maxBytes, 64 + 4 * inputBytes, MAX_FIRST_OUTPUT_BYTES));
  }

  appendUnit(unit: number): void {
    this.#reserve(unit < 0x80 ? 1 : unit < 0x800 ? 2 : 3);
    if (unit < 0x80) {
      this.#bytes[this.length++] = unit;
    } else if (unit < 0x800) {
      this.#bytes[this.length++] = 0xc0 | (unit >>> 6);
      this.#bytes[this.length++] = 0x80 | (unit & 0x3f);
    } else {
      if (unit >= 0xd800 && unit < 0xe000) this.#hasSurrogates = true;
      this.#bytes[this.length++] = 0xe0 | (unit >>> 12);
      this.#bytes[this.length++] = 0x80 | ((unit >>> 6) & 0x3f);
      this.#bytes[this.length++] = 0x80 | (unit & 0x3f);
    }
  }

  appendCopy(start: number, bytes: number): void {
    this.#reserve(bytes);
    copyForward(this.#bytes, this.length, this.length - start, bytes);
    this.length += bytes;
  }

  /** How many bytes the character has that begins at this place. */
  characterBytes(at: number): number {
    const lead = this.#bytes[at]!;
    return lead < 0x80 ? 1 : lead < 0xe0 ? 2 : 3;
  }

  finish(): Buffer {
    const written = this.#bytes.subarray(0, this.length);
    return this.#hasSurrogates ? joinSurrogates(written) : written;
  }

  #reserve(bytes: number): void {
    const needed = this.length + bytes;
    if (needed <= this.#bytes.length) return;
    if (needed > this.#maxBytes) throw new AppError('too_large', `it decodes past ${this.#maxBytes} bytes`);
    const larger = Buffer.allocUnsafe(Math.min(this.#maxBytes, Math.max(needed, 2 * this.#bytes.length)));
    this.#bytes.copy(larger, 0, 0, this.length);
    this.#bytes = larger;
  }
}

/** The dictionary: for each code from 3 on, where in the output its word lies. */
class Entries {
  nextCode = FIRST_ENTRY;
  #places: Uint32Array;

  constructor(inputBytes: number) {
    this.#places = new Uint32Array(2 * Math.min(256 + (inputBytes >>> 1), MAX_FIRST_ENTRIES));
  }

  add(start: number, bytes: number): void {
    const at = 2 * this.nextCode;
    if (at >= this.#places.length) {
      const larger = new Uint32Array(2 * this.#places.length);
      larger.set(this.#places);
      this.#places = larger;
    }
    this.#places[at] = start;
    this.#places[at + 1] = bytes;
    this.nextCode += 1;
  }

  startOf(code: number): number {
    return this.#places[2 * code]!;
  }

  bytesOf(code: number): number {
    return this.#places[2 * code + 1]!;
  }
}

function undecodable(reason: string): AppError {
  return new AppError('undecodable_body', reason);
}
