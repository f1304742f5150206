/**
 * The bytes of a run: the records of one segment (or of one import) sorted, with an index (docs/storage-format.md).
 *
 *   run     = magic, blocks, index JSON, u32 index length, u32 crc32 of index, magic
 *   block   = u32 records' length, u32 crc32 of records, records; a block holds records of one group only
 *   record  = u32 record length, u8 flags, u8 zero, u16 key length, u32 line length, f64 send time, key, line, extras
 *
 * A group is what one reader reads: the records of one project and kind, the incomplete ones apart. A tail group holds, without
 * lines, the keys of the records that came in during the hour's last ten minutes: the next hour's export looks for resends there.
 */
import type { RecordKind } from '../../events/event-row.ts';
import type { ErasedCount, ReceiptCount } from '../hour-store.ts';

export const RUN_MAGIC = 'TGRUN\0\0\u0001';
export const RUN_MAGIC_BYTES = 8;
export const RUN_TRAILER_BYTES = 16;
export const BLOCK_HEADER_BYTES = 8;
export const RUN_RECORD_HEADER_BYTES = 20;
/** A block is closed when it has grown to this size. Readers hold one block of each run. */
export const BLOCK_BYTES = 64 * 1024;

export type RunGroupPart = 'rows' | 'incomplete' | 'tail';

export type RunGroup = {
  readonly ai: string;
  readonly kind: RecordKind;
  readonly part: RunGroupPart;
  /** Where its first block begins, and how many bytes its blocks have. */
  readonly offset: number;
  readonly bytes: number;
  readonly rows: number;
  readonly events: number;
};

export type RunIndex = {
  readonly version: 1;
  readonly groups: readonly RunGroup[];
  readonly receipts: readonly ReceiptCount[];
  /** How many bytes of which segment were sorted into this run; none for derived runs. */
  readonly source: { readonly bytes: number } | null;
  /** What an erasure has left out. Absent where none has. */
  readonly erased?: readonly ErasedCount[];
};
