/**
 * Gathers the keys of the records that came in during the last ten minutes of an hour, while a segment is sorted, and writes them
 * as the tail groups of its run. The next hour's export merges them among its rows: what follows an equal key is a resend.
 *
 * Memory: the keys of one segment at most.
 */
import { ROW_FLAGS, type RecordKind } from '../../events/event-row.ts';
import { hourEndMs, type Hour } from '../../events/hour.ts';
import { ROW_ID_BYTES } from '../../events/ids.ts';
import { decodeExtras, KEY_TIME_BYTES, writeKeyTime } from './record-codec.ts';
import type { RunRecord, RunWriter } from './run-writer.ts';

/** SDKs that got no answer send again within minutes; a later resend is a row of its own, as in every system with a window. */
const TAIL_MS = 10 * 60_000;

type TailKey = { readonly key: Buffer; readonly sendTimeMs: number };
type TailGroup = { readonly ai: string; readonly kind: RecordKind; readonly keys: TailKey[] };

export class TailKeys {
  readonly #fromMs: number;
  readonly #groups = new Map<string, TailGroup>();
  /** That of the record before: records come group by group, and to look for it by name costs as much as all else. */
  #last: TailGroup | undefined;

  constructor(hour: Hour) {
    this.#fromMs = hourEndMs(hour) - TAIL_MS;
  }

  /** Takes a record's key if it came in late enough. Rejected events are never duplicates, so theirs are left out. */
  add(
    ai: string,
    kind: RecordKind,
    { bytes, flags, sendTimeMs, keyStart, lineStart, extrasStart, end }: RunRecord,
  ): void {
    if (sendTimeMs < this.#fromMs || kind === 'rejected') return;
    const key = Buffer.from(bytes.subarray(keyStart, lineStart));
    if (flags & ROW_FLAGS.incomplete) {
      // It lies beside its page; in the tail it stands where it will stand once completed.
      const { tm = '0' } = decodeExtras(bytes.subarray(extrasStart, end));
      writeKeyTime(key, Number(tm), key.length - ROW_ID_BYTES - KEY_TIME_BYTES);
    }
    if (this.#last?.ai !== ai || this.#last.kind !== kind) this.#last = this.#groupOf(ai, kind);
    this.#last.keys.push({ key, sendTimeMs });
  }

  #groupOf(ai: string, kind: RecordKind): TailGroup {
    const name = `${ai} ${kind}`;
    const group = this.#groups.get(name) ?? { ai, kind, keys: [] };
    this.#groups.set(name, group);
    return group;
  }

  /** Writes one tail group for each project and kind. */
  writeTo(writer: RunWriter): void {
    for (const { ai, kind, keys } of this.#groups.values()) {
      writer.beginGroup(ai, kind, 'tail');
      for (const { key, sendTimeMs } of keys.sort(
        (a, b) => Buffer.compare(a.key, b.key) || a.sendTimeMs - b.sendTimeMs,
      )) {
        writer.add({
          bytes: key,
          flags: ROW_FLAGS.published,
          sendTimeMs,
          keyStart: 0,
          lineStart: key.length,
          extrasStart: key.length,
          end: key.length,
        });
      }
    }
  }
}
