/**
 * Writes a row of action_tag as bytes behind the row of its action, of which most of it is a copy: the quick way of `buildTagRow`,
 * with the same result.
 */
import { RULE_ID_BYTES } from './action-tags.ts';
import { copyWithin, literalOf, writeLiteral } from './copy-bytes.ts';
import { ROW_ID_BYTES } from './ids.ts';
import { codeOfKind, KEY_TIME_BYTES, RECORD_HEADER_BYTES, SEND_TIME_HOLE, type RecordWriter } from './record-writer.ts';
import { writeActionRequestId, writeHex } from './tape-bytes.ts';

const TAG_CODE = codeOfKind('action_tag');
const RULE_ID_DIGITS = 2 * RULE_ID_BYTES;
const HOLE = literalOf(Buffer.from(SEND_TIME_HOLE));
const COMMA = 0x2c;
const VISITOR_EXTRA = 0x75; // u
/** More than a tag takes besides its visitor. */
const TAG_ROOM_BYTES = 256;

/** The action whose row was written last. Places are those in the writer's bytes. */
export type WrittenAction = {
  readonly isWeb: boolean;
  readonly rowId: Uint8Array;
  /** Where its sort key has the time, behind which the row id stands. */
  readonly keyTimeAt: number;
  readonly visitorStart: number;
  readonly visitorEnd: number;
};

/** Writes the tag of a rule. @throws BatchTooLargeError */
export function writeTag(writer: RecordWriter, action: WrittenAction, ruleId: string): void {
  const { visitorStart, visitorEnd, keyTimeAt } = action;
  writer.reserve(TAG_ROOM_BYTES + visitorEnd - visitorStart);
  const { bytes, view, at: start } = writer;
  let at = start + RECORD_HEADER_BYTES;
  bytes[at++] = 0; // no visitor
  bytes[at++] = 0; // no session
  const copied = KEY_TIME_BYTES + ROW_ID_BYTES - RULE_ID_BYTES;
  at = copyWithin(view, at, keyTimeAt, keyTimeAt + copied);
  writeHex(bytes, at, ruleId, 0, RULE_ID_DIGITS);
  at += RULE_ID_BYTES;
  const lineStart = at;
  at = writeLiteral(view, at, HOLE);
  bytes[at++] = COMMA;
  at = writeActionRequestId(view, at, action.isWeb, action.rowId);
  bytes[at++] = COMMA;
  for (let digit = 0; digit < RULE_ID_DIGITS; digit += 1) bytes[at++] = ruleId.charCodeAt(digit);
  bytes[at++] = 0x0a;
  const lineEnd = at;
  bytes[at++] = 1;
  bytes[at++] = VISITOR_EXTRA;
  writer.u32At(at, visitorEnd - visitorStart);
  writer.at = copyWithin(view, at + 4, visitorStart, visitorEnd);
  writer.header({ start, code: TAG_CODE, flags: 0, lineStart, holeAt: lineStart, lineEnd });
}
