/** The digests of plain events (plain-events.ts): what `eventDigest` of ids.ts gives, made of the bytes of the tape. */
import { hash } from 'node:crypto';
import type { JsonTape } from '../wire/json-tape.ts';
import { literalOf, writeLiteral, type Literal } from './copy-bytes.ts';
import type { DataType } from './data-types.ts';
import type { RecordWriter } from './record-writer.ts';
import { writeCanonical } from './tape-canonical.ts';

const NO_HEAD = { dataType: undefined, literal: literalOf(new Uint8Array(0)) } as const;

export class PlainDigests {
  readonly #writer: RecordWriter;
  readonly #tape: JsonTape;
  #ai = '';
  /** What is hashed before an event, for the project of the request. */
  readonly #heads = new Map<DataType, Literal>();
  #lastHead: { readonly dataType: DataType | undefined; readonly literal: Literal } = NO_HEAD;

  constructor(writer: RecordWriter, tape: JsonTape) {
    this.#writer = writer;
    this.#tape = tape;
  }

  /** Begins with another request. */
  begin(ai: string): void {
    if (this.#ai === ai) return;
    this.#ai = ai;
    this.#heads.clear();
    this.#lastHead = NO_HEAD;
  }

  /** Gives the digest of an element. The writer has room for its canonical JSON where the next row will stand; there it is made. */
  of(element: number, dataType: DataType): string {
    const head = this.#head(dataType);
    const { at, view } = this.#writer;
    const end = writeCanonical(view, writeLiteral(view, at, head), this.#tape, element);
    return hash('sha256', new Uint8Array(view.buffer, at, end - at), 'binary');
  }

  #head(dataType: DataType): Literal {
    if (dataType === this.#lastHead.dataType) return this.#lastHead.literal;
    let literal = this.#heads.get(dataType);
    if (literal === undefined) {
      literal = literalOf(Buffer.from(`event\0${this.#ai}\0${dataType}\0`));
      this.#heads.set(dataType, literal);
    }
    this.#lastHead = { dataType, literal };
    return literal;
  }
}
