/** The codings a body can be in, and what a request says about its own. */

/** A coding as metrics name it: what was undone to reach the JSON text; `-xor` where the XOR was undone first. */
export type BodyCoding =
  | 'json'
  | 'json-base64'
  | 'json-xor'
  | 'snappy'
  | 'snappy-xor'
  | 'lz4'
  | 'lz4-xor'
  | 'lz-string-bytes'
  | 'lz-string-utf16'
  | 'lz-string-base64'
  | 'lz-string-uri';

/** A body as it came over the wire, with the hints of its request. Content-Type is none of them: SDKs send anything there. */
export type WireBody = {
  /** The bytes; they are never changed. */
  readonly body: Buffer;
  /** The header X-Compress-Codec: 2 is snappy, 3 is LZ4, 1 is LZ-String in newer builds, 0 is none. */
  readonly compressCodec: string | undefined;
  /** The header X-Crypt-Codec: 1 is XOR with the low byte of `stm`. */
  readonly cryptCodec: string | undefined;
  /** The query value `stm` as it stands there, or the header X-Timestamp where there is none. */
  readonly stm: string | undefined;
  /** Whether the path is one of the web SDK's (/web/ or /wap/), which sends LZ-String without a header. */
  readonly allowsLzString: boolean;
};

/** What a coding is called in a sentence to the sender. */
export const CODING_NAMES: Readonly<Record<BodyCoding, string>> = {
  json: 'plain JSON',
  'json-base64': 'JSON in Base64',
  'json-xor': 'JSON under XOR',
  snappy: 'snappy',
  'snappy-xor': 'snappy under XOR',
  lz4: 'LZ4',
  'lz4-xor': 'LZ4 under XOR',
  'lz-string-bytes': 'LZ-String bytes',
  'lz-string-utf16': 'LZ-String in UTF-16',
  'lz-string-base64': 'LZ-String in Base64',
  'lz-string-uri': 'LZ-String in URI form',
};
