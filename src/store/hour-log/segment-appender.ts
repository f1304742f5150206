/**
 * Appends batches to the segments of one collector process: many requests, one write, one sync.
 *
 * Steps for a group: take what waits → choose the send time → write one frame → sync → look at the fence → acknowledge.
 * While a group is being written, the next one gathers; and where several clients are busy, it gathers for up to 2 ms longer, until as
 * many requests wait as came with the last one. A sync costs as much as several requests, so that few large groups are cheaper.
 *
 * Invariants:
 * A1 A batch is acknowledged only after the sync of its frame returned without an error.
 * A2 A batch is acknowledged only if, after the sync, its hour had no fence, or the hour's seal confirms the frame's bytes.
 *    Otherwise the frame is void (the seal's length ends before it) and the batch is written again with a later send time.
 *    The fence is raised before the seal reads a segment's length; so an append that saw no fence is within that length.
 * A3 Send time = max(clock, end of the last fenced hour); fences are looked up anew whenever a segment is opened, and a segment
 *    holds one hour only, so a clock that steps back cannot reach a sealed hour.
 * A4 After a failed write or sync the segment is given up and nothing is ever written behind it: a sync that failed once says
 *    nothing about later ones (https://www.usenix.org/conference/atc20/presentation/rebello). It is not cut either, because a
 *    seal may be measuring it; a whole frame that was refused may so be exported, which the client's retry only repeats.
 *
 * After a failure everything is refused without touching the disk until a probe has been written and synced, which is tried
 * every second: an idle collector is ready again by itself, and a full disk is not littered with segments that hold nothing.
 *
 * Lost on a crash: only what was not acknowledged. Memory: what waits, bounded by `maxQueuedBytes`.
 */
import { mkdir, open, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '../../errors/app-error.ts';
import { hourEndMs, hourOf, hourStartMs, type Hour } from '../../events/hour.ts';
import { isThere, isThereNow, syncFolder } from '../../lib/atomic-file.ts';
import { crc32 } from '../../lib/crc32.ts';
import { waitFor, type Clock } from '../../lib/clock.ts';
import { describeFault } from '../../lib/system-error.ts';
import { fencePath, hourFolder, hoursFolder, listHours, SEGMENT_SUFFIX, segmentName } from './layout.ts';
import { buildFrameHeader } from './record-codec.ts';
import { readSeal } from './seal.ts';
import { buildSegmentHeader, SEGMENT_HEADER_BYTES } from './segment.ts';
import { probeWrite } from './write-probe.ts';

export type SegmentAppenderOptions = {
  readonly root: string;
  /** Unique among all collectors that ever wrote here. */
  readonly collectorId: string;
  readonly clock: Clock;
  /** The first hour that may be written to. */
  readonly firstHour: Hour;
  /** A segment of at least this size is closed. */
  readonly segmentBytes: number;
  /** Bytes that may wait for their write. */
  readonly maxQueuedBytes: number;
  /** False trades safety against power loss for speed; a killed process still loses nothing. */
  readonly syncs: boolean;
  /** Called with each segment that is closed before its hour ended. */
  readonly onSegmentFull: (segment: { readonly hour: Hour; readonly name: string; readonly bytes: number }) => void;
};

/** What is said of a batch that is durable. */
export type Appended = { readonly sendTimeMs: number };

type Waiting = {
  readonly bytes: Buffer;
  readonly acknowledge: (appended: Appended) => void;
  readonly refuse: (error: AppError) => void;
};

type OpenSegment = { readonly hour: Hour; readonly name: string; readonly handle: FileHandle; bytes: number };

/** How many bytes one frame takes at most, unless one batch alone is larger. */
const MAX_GROUP_BYTES = 4 * 1024 * 1024;
/**
 * Between the beginnings of two writes, unless as many requests wait as came with the last one: so busy clients' requests are written
 * together, which costs much less, and a request that comes alone waits for nobody.
 */
const GROUP_EVERY_MS = 2;
/** How long a fenced append waits for the seal that decides about it, before it is refused and written by a later request. */
const SEAL_WAIT_MS = 20_000;
/** How often a disk that failed is tried again, and with how many bytes at least. */
const PROBE_EVERY_MS = 1_000;
const MIN_PROBE_BYTES = 64 * 1024;
const RETRY_AFTER_SECONDS = 5;
/** An append that takes longer than this is reported; it may still succeed. */
const SLOW_APPEND_MS = 10_000;

export class SegmentAppender {
  readonly #options: SegmentAppenderOptions;
  readonly #queue: Waiting[] = [];
  #queuedBytes = 0;
  #segment: OpenSegment | undefined;
  #segmentNumber = 0;
  /** No send time before this: the end of the last fenced hour known. */
  #notBeforeMs: number;
  #loop: Promise<void> | undefined;
  /** Why nothing is taken, from a failed write until a probe succeeds. */
  #fault: string | undefined;
  #recovery: Promise<void> | undefined;
  /** When the last write began, and how many requests it and those that came meanwhile were. */
  #lastGroup = { begunMs: 0, requests: 0 };
  /** How many requests are waited for. */
  #gathering: { readonly requests: number; readonly end: () => void } | undefined;
  /** When the write of the group that is being written began, by `performance.now()`. */
  #writingSinceMs: number | undefined;
  readonly #closing = new AbortController();

  constructor(options: SegmentAppenderOptions) {
    this.#options = options;
    this.#notBeforeMs = hourStartMs(options.firstHour);
  }

  /** Says in a sentence why events cannot be stored; undefined while all is well. */
  get fault(): string | undefined {
    if (this.#fault !== undefined)
      return `Events are refused: ${this.#fault}. The disk of the data directory is tried again every second.`;
    const writingMs = this.#writingSinceMs === undefined ? 0 : performance.now() - this.#writingSinceMs;
    if (writingMs < SLOW_APPEND_MS) return undefined;
    return `Events wait: the disk has not answered a write for ${Math.floor(writingMs / 1000)} s.`;
  }

  /** Appends an encoded batch; resolves with its send time once it is durable. @throws AppError overloaded, store_unavailable */
  append(bytes: Buffer): Promise<Appended> {
    if (this.#closing.signal.aborted)
      return Promise.reject(new AppError('store_unavailable', 'The server is stopping.', { retryAfterSeconds: 1 }));
    if (this.#fault !== undefined) return Promise.reject(refusalOf(this.#fault));
    if (this.#queuedBytes > 0 && this.#queuedBytes + bytes.length > this.#options.maxQueuedBytes) {
      return Promise.reject(new AppError('overloaded', 'Too many events wait for the disk.', { retryAfterSeconds: 1 }));
    }
    const appended = new Promise<Appended>((acknowledge, refuse) => this.#queue.push({ bytes, acknowledge, refuse }));
    this.#queuedBytes += bytes.length;
    if (this.#gathering && (this.#queue.length >= this.#gathering.requests || this.#queuedBytes >= MAX_GROUP_BYTES))
      this.#gathering.end();
    this.#loop ??= this.#writeGroups();
    return appended;
  }

  /** Writes what waits, then closes the segment. Later appends are refused. */
  async close(): Promise<void> {
    this.#closing.abort();
    while (this.#loop) await this.#loop;
    await this.#recovery;
    await this.#leaveSegment();
  }

  async #writeGroups(): Promise<void> {
    // One turn of the event loop, so that requests that arrived together are written together.
    await new Promise(setImmediate);
    while (this.#queue.length > 0) {
      await this.#gather();
      const group = this.#takeGroup();
      this.#writingSinceMs = performance.now();
      try {
        const appended = { sendTimeMs: await this.#writeGroup(group) };
        for (const { acknowledge } of group) acknowledge(appended);
      } catch (error) {
        await this.#giveUp(group, error);
      }
      this.#lastGroup = { begunMs: this.#writingSinceMs, requests: group.length + this.#queue.length };
      this.#writingSinceMs = undefined;
    }
    this.#loop = undefined; // before anything else runs: what is appended from here on begins another
  }

  /** Waits a little for as many requests as there were at the last write. */
  async #gather(): Promise<void> {
    const { begunMs, requests } = this.#lastGroup;
    const leftMs = begunMs + GROUP_EVERY_MS - performance.now();
    if (leftMs <= 0 || this.#queue.length >= requests || this.#queuedBytes >= MAX_GROUP_BYTES) return;
    const gathering = new AbortController();
    this.#gathering = { requests, end: () => gathering.abort() };
    await waitFor(leftMs, gathering.signal);
    this.#gathering = undefined;
  }

  #takeGroup(): Waiting[] {
    let bytes = 0;
    let count = 0;
    for (const waiting of this.#queue) {
      if (count > 0 && bytes + waiting.bytes.length > MAX_GROUP_BYTES) break;
      bytes += waiting.bytes.length;
      count += 1;
    }
    this.#queuedBytes -= bytes;
    return this.#queue.splice(0, count);
  }

  /** Writes a group until it is durable in an hour that is open to it. Returns its send time. */
  async #writeGroup(group: readonly Waiting[]): Promise<number> {
    const batches = joinNeighbours(group);
    const count = group.length;
    for (;;) {
      const { segment, sendTimeMs } = await this.#openSegment();
      const header = buildFrameHeader(batches, count, sendTimeMs, crc32);
      let length = header.length;
      for (const batch of batches) length += batch.length;
      await writeAll(segment.handle, [header, ...batches], segment.bytes);
      if (this.#options.syncs) await segment.handle.datasync();
      const end = segment.bytes + length;
      if (!isThereNow(fencePath(this.#options.root, segment.hour)) || (await this.#isConfirmed(segment, end))) {
        segment.bytes = end;
        return sendTimeMs;
      }
      // Void: the seal's length ends before this frame. The next round's send time lies in an open hour.
      this.#notBeforeMs = Math.max(this.#notBeforeMs, hourEndMs(segment.hour));
      await this.#leaveSegment();
    }
  }

  /** Asks the seal of a fenced hour whether it counts this segment up to `end`. */
  async #isConfirmed(segment: OpenSegment, end: number): Promise<boolean> {
    for (let waitedMs = 0; waitedMs < SEAL_WAIT_MS; waitedMs += 20) {
      const seal = await readSeal(this.#options.root, segment.hour);
      if (seal) return (seal.segments.find(({ name }) => name === segment.name)?.bytes ?? 0) >= end;
      await waitFor(20);
    }
    throw new AppError('store_unavailable', `The hour's seal has not been written for ${SEAL_WAIT_MS / 1000} s.`);
  }

  /** Gives a segment of the hour that is open now, and the send time to write. */
  async #openSegment(): Promise<{ readonly segment: OpenSegment; readonly sendTimeMs: number }> {
    const { root, clock, segmentBytes, collectorId, onSegmentFull } = this.#options;
    const nowMs = Math.max(clock.nowMs(), this.#notBeforeMs);
    const current = this.#segment;
    if (current?.hour === hourOf(nowMs) && current.bytes < segmentBytes) return { segment: current, sendTimeMs: nowMs };
    await this.#leaveSegment();
    if (current && current.bytes >= segmentBytes)
      onSegmentFull({ hour: current.hour, name: current.name, bytes: current.bytes });
    await this.#lookUpFences();
    const sendTimeMs = Math.max(clock.nowMs(), this.#notBeforeMs);
    const hour = hourOf(sendTimeMs);
    this.#segmentNumber += 1;
    const name = segmentName(collectorId, this.#segmentNumber);
    const folder = hourFolder(root, hour);
    if ((await mkdir(folder, { recursive: true, mode: 0o700 })) !== undefined) await syncFolder(hoursFolder(root));
    const handle = await open(join(folder, name + SEGMENT_SUFFIX), 'wx', 0o600);
    this.#segment = { hour, name, handle, bytes: SEGMENT_HEADER_BYTES };
    await writeAll(handle, [buildSegmentHeader(hour)], 0);
    if (this.#options.syncs) await syncFolder(folder);
    return { segment: this.#segment, sendTimeMs };
  }

  /** Looks for the last fenced hour. A fence is never removed but with its whole hour, long after. */
  async #lookUpFences(): Promise<void> {
    const { root } = this.#options;
    for (const hour of (await listHours(root)).toReversed()) {
      if (hourEndMs(hour) <= this.#notBeforeMs) return;
      if (await isThere(fencePath(root, hour))) {
        this.#notBeforeMs = hourEndMs(hour);
        return;
      }
    }
  }

  async #leaveSegment(): Promise<void> {
    const segment = this.#segment;
    this.#segment = undefined;
    await segment?.handle.close().catch(() => undefined); // everything acknowledged is synced already
  }

  /** Refuses a group after a failure with all that waits behind it, and leaves its segment for good. */
  async #giveUp(group: readonly Waiting[], error: unknown): Promise<void> {
    this.#fault = describeFault(error);
    await this.#leaveSegment();
    this.#recovery = this.#recover(group.reduce((sum, { bytes }) => sum + bytes.length, 0));
    const refusal = refusalOf(this.#fault, error);
    const behind = this.#queue.splice(0);
    this.#queuedBytes = 0;
    for (const { refuse } of [...group, ...behind]) refuse(refusal);
  }

  /** Tries the disk until it takes as many bytes as failed; then appends are taken again. */
  async #recover(failedBytes: number): Promise<void> {
    const bytes = Math.min(MAX_GROUP_BYTES, Math.max(MIN_PROBE_BYTES, failedBytes));
    const { signal } = this.#closing;
    for (;;) {
      await waitFor(PROBE_EVERY_MS, signal);
      if (signal.aborted) return;
      try {
        await probeWrite(this.#options.root, bytes);
        this.#fault = undefined;
        return;
      } catch (error) {
        this.#fault = describeFault(error);
      }
    }
  }
}

/** Gives the bytes of a group in as few pieces as they lie in: an encoder puts one batch behind the other. */
function joinNeighbours(group: readonly Waiting[]): Buffer[] {
  const pieces: Buffer[] = [];
  let last: Buffer | undefined;
  for (const { bytes } of group) {
    if (last?.buffer === bytes.buffer && last.byteOffset + last.length === bytes.byteOffset) {
      last = Buffer.from(bytes.buffer, last.byteOffset, last.length + bytes.length);
      pieces[pieces.length - 1] = last;
    } else {
      last = bytes;
      pieces.push(bytes);
    }
  }
  return pieces;
}

function refusalOf(fault: string, cause?: unknown): AppError {
  return new AppError(
    'store_unavailable',
    `The events could not be stored: ${fault}. Nothing of this request was taken.`,
    { cause, retryAfterSeconds: RETRY_AFTER_SECONDS },
  );
}

/** Writes all bytes at a place; a short write is gone on with. */
async function writeAll(handle: FileHandle, buffers: readonly Buffer[], position: number): Promise<void> {
  let rest = [...buffers];
  let at = position;
  while (rest.length > 0) {
    let { bytesWritten } = await handle.writev(rest, at);
    at += bytesWritten;
    while (rest.length > 0 && bytesWritten >= rest[0]!.length) bytesWritten -= rest.shift()!.length;
    if (bytesWritten > 0) rest = [rest[0]!.subarray(bytesWritten), ...rest.slice(1)];
  }
}
