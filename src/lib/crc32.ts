/**
 * CRC-32 as gzip and zlib compute it: what finds a changed byte in everything that is stored.
 *
 * Every stored byte passes through it three times, so it is worth a faster implementation where there is one; whoever puts the
 * program together says so, once a thread, before anything is computed. It is tried first: a wrong one would refuse good files.
 */
import { crc32 as zlibCrc32 } from 'node:zlib';

/** Gives the checksum of these bytes; `crc` is that of the bytes before them. */
export type Crc32 = (bytes: Uint8Array, crc: number) => number;

let implementation: Crc32 = zlibCrc32;

/** Computes the checksum of these bytes, after others whose checksum is `crc`. */
export function crc32(bytes: Uint8Array, crc = 0): number {
  return implementation(bytes, crc);
}

/** Computes checksums with this implementation from now on, if it gives what zlib gives. Says whether it does. */
export function useCrc32(faster: Crc32): boolean {
  const sample = Buffer.from(Array.from({ length: 1000 }, (_, place) => (place * 7 + (place >> 3)) & 0xff));
  const isRight = [0, 1, 15, 64, 65, 999].every((from) => {
    const bytes = sample.subarray(from);
    return faster(bytes, from) === zlibCrc32(bytes, from);
  });
  if (isRight) implementation = faster;
  return isRight;
}
