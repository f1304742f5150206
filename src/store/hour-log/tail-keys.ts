/**
 * Gathers the keys of the records that came in during the last ten minutes of an hour, while a segment is sorted, and writes them
 * as the tail groups of its run. The next hour's export merges them among its rows: what follows an equal key is a resend.
 *
 * Memory: the keys of one segment at most. A sixth of all records come in those minutes, so none of them costs an object.
 */
import { ROW_FLAGS, type RecordKind } from '../../events/event-row.ts';
import { hourEndMs, type Hour } from '../../events/hour.ts';
import { ROW_ID_BYTES } from '../../events/ids.ts';
import { viewOf } from '../../lib/key-bytes.ts';
import { decodeExtras, KEY_TIME_BYTES, writeKeyTime } from './record-codec.ts';
import type { RunRecord, RunWriter } from './run-writer.ts';
import { sortKeys } from './sort-keys.ts';

/** SDKs that got no answer send again within minutes; a later resend is a row of its own, as in every system with a window. */
const TAIL_MS = 10 * 60_000;

export class TailKeys {
  readonly #fromMs: number;
  readonly #groups = new Map<RecordKind, Map<string, KeyList>>();

  constructor(hour: Hour) {
    this.#fromMs = hourEndMs(hour) - TAIL_MS;
  }

  /** Takes a record's key if it came in late enough. Rejected events are never duplicates, so theirs are left out. */
  add(ai: string, kind: RecordKind, record: RunRecord): void {
    const { bytes, flags, sendTimeMs, keyStart, lineStart, extrasStart, end } = record;
    if (sendTimeMs < this.#fromMs || kind === 'rejected') return;
    const keys = this.#keysOf(ai, kind);
    keys.add(bytes, keyStart, lineStart, sendTimeMs);
    if ((flags & ROW_FLAGS.incomplete) === 0) return;
    // It lies beside its page; in the tail it stands where it will stand once completed.
    const { tm = '0' } = decodeExtras(bytes.subarray(extrasStart, end));
    keys.setTimeOfLast(Number(tm));
  }

  #keysOf(ai: string, kind: RecordKind): KeyList {
    let ofKind = this.#groups.get(kind);
    if (!ofKind) this.#groups.set(kind, (ofKind = new Map<string, KeyList>()));
    let keys = ofKind.get(ai);
    if (!keys) ofKind.set(ai, (keys = new KeyList()));
    return keys;
  }

  /** Writes one tail group for each project and kind. */
  writeTo(writer: RunWriter): void {
    for (const [kind, ofKind] of this.#groups) {
      for (const [ai, keys] of ofKind) {
        writer.beginGroup(ai, kind, 'tail');
        keys.writeTo(writer);
      }
    }
  }
}

const FIRST_BYTES = 64 * 1024;

/** Keys, one behind the other. */
class KeyList {
  #bytes = Buffer.allocUnsafeSlow(FIRST_BYTES);
  #end = 0;
  readonly #ends: number[] = [];
  readonly #sendTimesMs: number[] = [];

  add(bytes: Buffer, start: number, end: number, sendTimeMs: number): void {
    const keyEnd = this.#end + end - start;
    if (keyEnd > this.#bytes.length) this.#grow(keyEnd);
    bytes.copy(this.#bytes, this.#end, start, end);
    this.#end = keyEnd;
    this.#ends.push(keyEnd);
    this.#sendTimesMs.push(sendTimeMs);
  }

  /** Writes another time into the key that was added last. */
  setTimeOfLast(timeMs: number): void {
    writeKeyTime(this.#bytes, timeMs, this.#end - ROW_ID_BYTES - KEY_TIME_BYTES);
  }

  /** Writes the keys in their order, the earlier one of equal ones first. */
  writeTo(writer: RunWriter): void {
    const ends = this.#ends;
    const sendTimesMs = this.#sendTimesMs;
    const keyStart = (key: number): number => (key === 0 ? 0 : ends[key - 1]!);
    const record = {
      bytes: this.#bytes,
      flags: ROW_FLAGS.published,
      sendTimeMs: 0,
      keyStart: 0,
      lineStart: 0,
      extrasStart: 0,
      end: 0,
    };
    const keys = {
      view: viewOf(this.#bytes),
      count: ends.length,
      keyStart,
      keyEnd: (key: number) => ends[key]!,
      compareEqual: (a: number, b: number) => sendTimesMs[a]! - sendTimesMs[b]!,
    };
    sortKeys(keys, (key) => {
      record.sendTimeMs = sendTimesMs[key]!;
      record.keyStart = keyStart(key);
      record.lineStart = record.extrasStart = record.end = ends[key]!;
      writer.add(record);
    });
  }

  #grow(needed: number): void {
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.#bytes.length));
    this.#bytes.copy(grown, 0, 0, this.#end);
    this.#bytes = grown;
  }
}
