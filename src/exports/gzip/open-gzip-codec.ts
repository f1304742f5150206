/**
 * Chooses the gzip codec of an export worker: ISA-L where it is installed and proves itself, else Node's zlib.
 *
 * Each worker thread opens its own, once. Two machines of a cluster may choose differently; that is why manifests name the codec
 * and why package names depend on it.
 */
import { gunzipSync } from 'node:zlib';
import { ConfigurationError } from '../../errors/app-error.ts';
import type { GzipCodec } from './gzip-codec.ts';
import { isIsaLLevel, openIsaLCodec } from './isa-l-codec.ts';
import { ISA_L_PATHS, loadIsaL } from './isa-l-library.ts';
import { openZlibCodec } from './zlib-codec.ts';

export const GZIP_CODEC_CHOICES = ['auto', 'isa-l', 'zlib'] as const;

/** `auto` takes ISA-L when it can; `isa-l` insists on it. */
export type GzipCodecChoice = (typeof GZIP_CODEC_CHOICES)[number];

export type OpenGzipCodecOptions = {
  readonly choice: GzipCodecChoice;
  /**
   * gzip's level, 1 to 9. ISA-L has 1 to 3, which stand for the same wish and give other bytes than zlib's; for 4 to 9 zlib is
   * taken whatever was chosen, because no other codec here compresses as well. Default: 1.
   */
  readonly level?: number;
  /** Where to look for libisal.so.2. Default: where distributions put it. */
  readonly isaLPaths?: readonly string[];
};

/** The codec, and why it is this one, as a sentence for the log. */
export type OpenedGzipCodec = { readonly codec: GzipCodec; readonly reason: string };

/** Opens the gzip codec. @throws ConfigurationError when `isa-l` was asked for and cannot be used */
export async function openGzipCodec({
  choice,
  level = 1,
  isaLPaths = ISA_L_PATHS,
}: OpenGzipCodecOptions): Promise<OpenedGzipCodec> {
  if (!Number.isInteger(level) || level < 1 || level > 9)
    throw new ConfigurationError([`${level} is no gzip level from 1 to 9`]);
  if (choice === 'zlib') return { codec: openZlibCodec(level), reason: 'zlib was asked for' };
  if (!isIsaLLevel(level)) return { codec: openZlibCodec(level), reason: `ISA-L has no level ${level}` };
  const outcome = await loadIsaL(isaLPaths);
  let refusal: string;
  if (outcome.status === 'loaded') {
    const codec = openIsaLCodec(outcome.library, level);
    const fault = await findFault(codec);
    if (fault === undefined) return { codec, reason: `ISA-L was found at ${outcome.library.path}` };
    refusal = `ISA-L at ${outcome.library.path} failed its self-test: ${fault}`;
  } else {
    refusal = outcome.reason;
  }
  if (choice === 'isa-l') throw new ConfigurationError([`the gzip codec isa-l was asked for, but ${refusal}`]);
  return { codec: openZlibCodec(level), reason: `${refusal}; exports take about three times the CPU` };
}

/** Compresses a little with the codec and unpacks it with zlib. Says what was wrong; undefined when nothing was. */
async function findFault(codec: GzipCodec): Promise<string | undefined> {
  const chunks = [
    selfTestChunk(200_000, 8),
    selfTestChunk(1, 256),
    selfTestChunk(100_000, 256),
    selfTestChunk(70_000, 2),
  ];
  try {
    const stream = codec.open();
    const parts: Uint8Array[] = [];
    for (const chunk of chunks) parts.push(Buffer.from(await stream.write(chunk)));
    parts.push(await stream.finish());
    const unpacked = gunzipSync(Buffer.concat(parts));
    return unpacked.equals(Buffer.concat(chunks)) ? undefined : 'it did not give back what was put in';
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Bytes below `range` from a fixed linear congruential generator: the smaller the range, the better they compress. */
function selfTestChunk(bytes: number, range: number): Buffer {
  let state = bytes;
  const chunk = Buffer.alloc(bytes);
  for (let at = 0; at < bytes; at += 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    chunk[at] = (state >>> 24) % range;
  }
  return chunk;
}
