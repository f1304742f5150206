/** Has a thread compute its checksums with ISA-L, where it is there and wanted: whoever wants zlib wants no library of the system's. */
import { useCrc32 } from '../../lib/crc32.ts';
import { loadIsaL } from './isa-l-library.ts';
import type { GzipCodecChoice } from './open-gzip-codec.ts';

/** Called once a thread, before it computes anything. */
export async function useIsaLCrc32(choice: GzipCodecChoice): Promise<void> {
  if (choice === 'zlib') return;
  const isaL = await loadIsaL();
  if (isaL.status === 'loaded' && isaL.library.crc32) useCrc32(isaL.library.crc32);
}
