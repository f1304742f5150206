/**
 * The text forms of LZ-String, turned into the bit stream that lz-string.ts reads.
 *
 * `compressToUint8Array` is that stream already. The others carry it as 15 bits in each character (`compressToUTF16`) or 6
 * (`compressToBase64`, `compressToEncodedURIComponent`). The two alphabets of 6 bits differ only in signs that the other one does
 * not have, so one table reads both.
 */
import { AppError } from '../errors/app-error.ts';

const UTF16_BITS = 15;
const UTF16_OFFSET = 32;
const NOT_IN_ALPHABET = 0xff;
const PADDING = 0x40;
const VALUE_OF = alphabet();

/** Says whether every byte belongs to the Base64 or the URI form; false for an empty body. */
export function isLzStringText(body: Buffer): boolean {
  for (const byte of body) if (VALUE_OF[byte] === NOT_IN_ALPHABET) return false;
  return body.length > 0;
}

/** Says whether the text is the URI form rather than Base64, which is always padded to a multiple of four. */
export function isLzStringUri(text: Buffer): boolean {
  return text.length % 4 !== 0 || text.includes('-') || text.includes('$');
}

/**
 * Unpacks the Base64 or the URI form.
 * @throws AppError undecodable_body at a character that is in neither alphabet, or that follows the padding.
 */
export function unpackLzStringText(text: Buffer): Buffer {
  const packer = new BitPacker(Math.ceil((text.length * 6) / 8));
  let isPadding = false;
  for (const byte of text) {
    const value = VALUE_OF[byte]!;
    if (value === NOT_IN_ALPHABET || (isPadding && value !== PADDING)) {
      throw new AppError('undecodable_body', 'a character is outside the Base64 and URI alphabets');
    }
    isPadding = value === PADDING;
    if (!isPadding) packer.push(value, 6);
  }
  return packer.finish();
}

/** Unpacks Base64 of bytes, not of LZ-String's bits: what is left behind the last whole byte is dropped. Never throws. */
export function unpackBase64(text: Buffer): Buffer {
  return Buffer.from(text.toString('latin1').replaceAll(' ', '+'), 'base64');
}

/**
 * Unpacks the UTF-16 form, sent as UTF-8 text.
 * @throws AppError undecodable_body at a character that the form does not use.
 */
export function unpackLzStringUtf16(body: Buffer): Buffer {
  const text = body.toString('utf8'); // what is not UTF-8 becomes U+FFFD, which the form does not use
  const packer = new BitPacker(Math.ceil((text.length * UTF16_BITS) / 8));
  for (let at = 0; at < text.length; at += 1) {
    const value = text.charCodeAt(at) - UTF16_OFFSET;
    if (value < 0 || value >= 2 ** UTF16_BITS) {
      throw new AppError('undecodable_body', 'a character is outside the range of the UTF-16 form');
    }
    packer.push(value, UTF16_BITS);
  }
  return packer.finish();
}

/** Puts numbers one behind the other, each from its highest bit down; the last byte is filled up with zeros. */
class BitPacker {
  readonly #bytes: Buffer;
  #length = 0;
  #window = 0;
  #windowBits = 0;

  constructor(bytes: number) {
    this.#bytes = Buffer.allocUnsafe(bytes);
  }

  push(value: number, bits: number): void {
    this.#window = ((this.#window << bits) | value) & 0x3f_ffff; // at most 7 bits are left from before, and 15 are added
    this.#windowBits += bits;
    while (this.#windowBits >= 8) {
      this.#windowBits -= 8;
      this.#bytes[this.#length++] = this.#window >>> this.#windowBits;
    }
  }

  finish(): Buffer {
    if (this.#windowBits > 0) this.#bytes[this.#length++] = this.#window << (8 - this.#windowBits);
    return this.#bytes.subarray(0, this.#length);
  }
}

/** Builds the table of both alphabets: a blank is `+` unescaped once too often, and a line end is padding. */
function alphabet(): Uint8Array {
  const values = new Uint8Array(256).fill(NOT_IN_ALPHABET);
  const characters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
  for (let value = 0; value < characters.length; value += 1) values[characters.charCodeAt(value)] = value;
  for (const [character, same] of ['-/', ' +'] as const)
    values[character!.charCodeAt(0)] = values[same!.charCodeAt(0)]!;
  for (const character of '=$\r\n') values[character.charCodeAt(0)] = PADDING;
  return values;
}
