/**
 * Lists the codings that a body may be in, the likeliest first.
 *
 * Headers are hints. Android in debug mode names snappy and XOR and sends plain JSON; the Java SDK sends snappy as
 * application/json; the web SDK names nothing. And a packed body may begin with `[` by chance. So each candidate is only tried,
 * and counts when JSON comes out (decode-body.ts). Order: plain JSON if it begins like it; what the headers name; the same with
 * the XOR the other way round; LZ-String where the path or a header allows it, and JSON in Base64 where it begins like that; and,
 * off the web paths, the rest as guesses.
 *
 * Nothing is decoded before its turn, and the XOR is undone once for all candidates that need it.
 */
import { AppError } from '../errors/app-error.ts';
import type { BodyCoding, WireBody } from './body-coding.ts';
import { looksLikeJson } from './json-array.ts';
import { decodeLz4Block } from './lz4-block.ts';
import {
  isLzStringText,
  isLzStringUri,
  unpackBase64,
  unpackLzStringText,
  unpackLzStringUtf16,
} from './lz-string-text.ts';
import { decodeLzString } from './lz-string.ts';
import { decodeSnappy } from './snappy.ts';
import { applyXor, xorKeyOf } from './xor.ts';

/** One coding to try. */
export type Candidate = {
  readonly coding: BodyCoding;
  /** Whether nothing in the request speaks for this coding, so that its failure is no news to the sender. */
  readonly isGuess: boolean;
  /** Decodes to what should be JSON text. @throws AppError undecodable_body or too_large. */
  readonly decode: (maxDecodedBytes: number) => Buffer;
};

type Packing = 'json' | 'snappy' | 'lz4';

const DECODERS: Readonly<Record<Packing, (body: Buffer, maxDecodedBytes: number) => Buffer>> = {
  json: takePlain,
  snappy: decodeSnappy,
  lz4: decodeLz4Block,
};
const CODEC_LZ_STRING = '1';
const CRYPT_XOR = '1';

/** Lists the candidates of this body lazily: a caller that is content stops asking. At most eight. */
export function* listCandidates(request: WireBody): Generator<Candidate, void> {
  const { body, allowsLzString } = request;
  const compressCodec = request.compressCodec?.trim();
  const named: Packing | undefined = compressCodec === '2' ? 'snappy' : compressCodec === '3' ? 'lz4' : undefined;
  const isCrypted = request.cryptCodec?.trim() === CRYPT_XOR;
  const key = xorKeyOf(request.stm);
  const canXor = key !== undefined && key !== 0; // XOR with 0 is the body itself

  let plainBytes: Buffer | undefined;
  const candidate = (packing: Packing, isXored: boolean, isGuess: boolean): Candidate => ({
    coding: isXored ? `${packing}-xor` : packing,
    isGuess,
    decode: (maxDecodedBytes) => {
      if (isXored) plainBytes ??= undoXor(body, key);
      return DECODERS[packing](isXored ? plainBytes! : body, maxDecodedBytes);
    },
  });

  if (looksLikeJson(body)) yield candidate('json', false, false);
  if (named !== undefined) {
    yield candidate(named, isCrypted, false);
    if (isCrypted ? key !== 0 : canXor) yield candidate(named, !isCrypted, false);
  } else if (isCrypted) {
    yield candidate('json', true, false);
  }
  if (allowsLzString || compressCodec === CODEC_LZ_STRING) yield* listLzString(body);
  if (allowsLzString) return;
  for (const packing of ['snappy', 'lz4'] as const) {
    if (packing === named) continue;
    yield candidate(packing, false, true);
    if (canXor) yield candidate(packing, true, true);
  }
  if (canXor && (named !== undefined || !isCrypted)) yield candidate('json', true, true);
}

/** The forms of LZ-String that this body can be in, and Base64 of the JSON itself, which the oldest browsers send (IE 6 and 7). */
function* listLzString(body: Buffer): Generator<Candidate, void> {
  const isGuess = false;
  const isText = isLzStringText(body);
  if (isText) {
    // LZ-String of JSON never unpacks to bytes that begin like JSON, so which of the two it is shows at once.
    const json = unpackBase64(body);
    if (looksLikeJson(json)) {
      yield { coding: 'json-base64', isGuess, decode: (maxDecodedBytes) => takePlain(json, maxDecodedBytes) };
      return;
    }
    const coding = isLzStringUri(body) ? 'lz-string-uri' : 'lz-string-base64';
    yield { coding, isGuess, decode: (maxDecodedBytes) => decodeLzString(unpackLzStringText(body), maxDecodedBytes) };
  }
  yield { coding: 'lz-string-bytes', isGuess, decode: (maxDecodedBytes) => decodeLzString(body, maxDecodedBytes) };
  if (isText) return;
  yield {
    coding: 'lz-string-utf16',
    isGuess,
    decode: (maxDecodedBytes) => decodeLzString(unpackLzStringUtf16(body), maxDecodedBytes),
  };
}

function takePlain(body: Buffer, maxDecodedBytes: number): Buffer {
  if (body.length > maxDecodedBytes) throw new AppError('too_large', `it is longer than ${maxDecodedBytes} bytes`);
  return body;
}

function undoXor(body: Buffer, key: number | undefined): Buffer {
  if (key !== undefined) return applyXor(body, key);
  throw new AppError(
    'undecodable_body',
    'X-Crypt-Codec is 1 but the query has no stm of digits to undo it with, nor is there an X-Timestamp',
  );
}
