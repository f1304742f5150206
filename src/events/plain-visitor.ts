/**
 * The visitor and the session of the plain event (plain-events.ts) that is being mapped, and the keys that are made of them.
 *
 * Events of a request mostly are of one visitor: where the bytes are those of the event before, its strings and keys are kept.
 */
import { isSameWithin } from '../lib/key-bytes.ts';
import { VALUE, type JsonTape } from '../wire/json-tape.ts';
import type { KeyPlaces } from './column-plan.ts';
import { pageRequestId, vstRequestId } from './ids.ts';
import type { RecordWriter } from './record-writer.ts';
import { isFilledText, isRawText } from './tape-bytes.ts';

const VISITOR_WIDTH = 64;
const SESSION_WIDTH = 50;

export class PlainVisitor {
  readonly #writer: RecordWriter;
  readonly #tape: JsonTape;
  #ai = '';
  #visitor = '';
  #session = '';
  #isKnown = false;
  #visitId: string | undefined;
  /** Where `u` and `s` stand in the text of the request. */
  start = 0;
  end = 0;
  sessionStart = 0;
  sessionEnd = 0;

  constructor(writer: RecordWriter, tape: JsonTape) {
    this.#writer = writer;
    this.#tape = tape;
  }

  /** Begins with another request. */
  begin(ai: string): void {
    this.#ai = ai;
    this.#isKnown = false;
  }

  /** Reads the visitor of an event whose values begin at `first`; false when one needs the slow way. */
  read(first: number, { u, s }: KeyPlaces): boolean {
    const { json, values } = this.#tape;
    const { view } = this.#writer; // the text stands at its front
    const { kinds, starts, ends } = values;
    if (!isFilledText(values, first, u) || !isRawText(kinds[first + u]!)) return false;
    const uStart = starts[first + u]!;
    const uEnd = ends[first + u]!;
    if (uEnd - uStart > VISITOR_WIDTH) return false;
    let [sStart, sEnd] = [0, 0];
    if (s >= 0 && kinds[first + s] !== VALUE.null) {
      if (!isRawText(kinds[first + s]!)) return false;
      sStart = starts[first + s]!;
      sEnd = ends[first + s]!;
      if (sEnd - sStart > SESSION_WIDTH) return false;
    }
    const isSame =
      this.#isKnown &&
      isSameWithin(view, uStart, uEnd, this.start, this.end) &&
      isSameWithin(view, sStart, sEnd, this.sessionStart, this.sessionEnd);
    this.start = uStart;
    this.end = uEnd;
    this.sessionStart = sStart;
    this.sessionEnd = sEnd;
    if (isSame) return true;
    this.#isKnown = true;
    this.#visitor = json.toString('utf8', uStart, uEnd);
    this.#session = json.toString('utf8', sStart, sEnd);
    this.#visitId = undefined;
    return true;
  }

  /** Gives the key of the visit. */
  visitId(): string {
    this.#visitId ??= vstRequestId(this.#ai, this.#visitor, this.#session);
    return this.#visitId;
  }

  /** Gives the key of the page that the visitor opened at this time. */
  pageId(timeMs: number): string {
    return pageRequestId(this.#ai, this.#visitor, this.#session, timeMs);
  }
}
