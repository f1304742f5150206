/**
 * Intel ISA-L's deflate and CRC functions, called in the system's `libisal.so.2` through koffi.
 *
 * A wrong guess about a C library ends the process without a word, so the library is looked at before it is loaded: only Linux
 * on x64, and only versions whose `struct isal_zstream` was compared and whose output was tested (2.30.0 of Debian 12, 2.31.1 of
 * Debian 13). The soname says no more than the major version; the file behind the link does: libisal.so.2.0.30 is 2.30.
 */
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { basename } from 'node:path';
import { promisify } from 'node:util';
import type { LibraryHandle } from 'koffi';

/** Where distributions put the library. */
export const ISA_L_PATHS: readonly string[] = [
  '/usr/lib/x86_64-linux-gnu/libisal.so.2',
  '/usr/lib64/libisal.so.2',
  '/usr/lib/libisal.so.2',
  '/usr/local/lib/libisal.so.2',
];

const TESTED_VERSIONS: Readonly<Record<string, string>> = {
  'libisal.so.2.0.30': '2.30.0',
  'libisal.so.2.0.31': '2.31',
};

/**
 * The CRC that stays within AVX. What `crc32_gzip_refl` chooses on newer processors leaves the upper halves of the AVX-512
 * registers in use, and then every copy of a line by V8 takes 230 ns instead of 45: an export as a whole took 1.4 times as long.
 */
const CRC32_FUNCTION = 'crc32_gzip_refl_by8_02';
const CRC32_NEEDS = ['avx', 'pclmulqdq'] as const;

/** The functions the codec needs. Streams are addresses of memory that the caller keeps. */
export type IsaL = {
  readonly version: string;
  readonly path: string;
  /** Calls isal_deflate_init. */
  initStream(streamAddress: bigint): void;
  /** Calls isal_deflate on a thread of libuv's pool; gives its return value, 0 when all is well. */
  deflate(streamAddress: bigint): Promise<number>;
  /** Gives the address of memory outside the JavaScript heap, where it never moves. */
  addressOf(memory: Uint8Array): bigint;
  /** A CRC-32 that is five times as fast as zlib's; undefined where this processor cannot do it. */
  readonly crc32: ((bytes: Uint8Array, crc: number) => number) | undefined;
};

export type IsaLOutcome =
  { readonly status: 'loaded'; readonly library: IsaL } | { readonly status: 'refused'; readonly reason: string };

/** Loads the first ISA-L there is among these paths, when it is one that was tested. Never throws. */
export async function loadIsaL(paths: readonly string[] = ISA_L_PATHS): Promise<IsaLOutcome> {
  const machine = `${process.platform} ${process.arch}`;
  if (machine !== 'linux x64') return refused(`ISA-L is used on linux x64 only, and this is ${machine}`);
  const link = paths.find((path) => existsSync(path));
  if (link === undefined) return refused('libisal.so.2 is not installed (Debian and Ubuntu: apt-get install libisal2)');
  try {
    const path = realpathSync(link);
    const version = TESTED_VERSIONS[basename(path)];
    if (version === undefined) return refused(`${path} is no version of ISA-L that was tested`);
    return { status: 'loaded', library: await load(path, version) };
  } catch (error) {
    return refused(`ISA-L at ${link} cannot be loaded: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Koffi is imported here and not above, because it throws on a platform it has no binary for. */
async function load(path: string, version: string): Promise<IsaL> {
  const { default: koffi } = await import('koffi');
  const library = koffi.load(path);
  const initStream = library.func('isal_deflate_init', 'void', ['void *']);
  const deflate = library.func('isal_deflate', 'int', ['void *']);
  const crc32 = findCrc32(library);
  return {
    version,
    path,
    initStream: initStream as (streamAddress: bigint) => void,
    deflate: promisify(deflate.async) as (streamAddress: bigint) => Promise<number>,
    addressOf: (memory) => koffi.address(memory),
    crc32: crc32 && ((bytes, crc) => crc32(crc, bytes, bytes.byteLength)),
  };
}

/** The header does not name this one: a build of the library may be without it. */
function findCrc32(library: LibraryHandle): ((crc: number, bytes: Uint8Array, length: number) => number) | undefined {
  if (!hasInstructions(CRC32_NEEDS)) return undefined;
  try {
    return library.func(CRC32_FUNCTION, 'uint32', ['uint32', 'void *', 'uint64']);
  } catch {
    return undefined;
  }
}

/** Says whether this processor has these, in Linux's words: a function that uses others would end the process. */
function hasInstructions(names: readonly string[]): boolean {
  const flags = /^flags\s*:(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'latin1'))?.[1]?.split(' ') ?? [];
  return names.every((name) => flags.includes(name));
}

function refused(reason: string): IsaLOutcome {
  return { status: 'refused', reason };
}
