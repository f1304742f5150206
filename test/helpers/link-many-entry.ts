/**
 * The program that src/store/hour-log/link-server-events.test.ts runs with a small heap: pages and server events of very many login
 * users, and many events of one of them. Prints how much memory it had at most, and how many events it linked to the right visitor.
 */
import { join } from 'node:path';
import { columnsOf } from '../../src/events/data-types.ts';
import { findField } from '../../src/events/csv-line.ts';
import { ROW_FLAGS } from '../../src/events/event-row.ts';
import { ROW_ID_BYTES } from '../../src/events/ids.ts';
import { HOUR_MS } from '../../src/events/hour.ts';
import { linkServerEvents } from '../../src/store/hour-log/link-server-events.ts';
import { mergeCursors } from '../../src/store/hour-log/merge.ts';
import { encodeExtras, writeKeyTime } from '../../src/store/hour-log/record-codec.ts';
import { openCursors, readRun } from '../../src/store/hour-log/run-reader.ts';
import { RunWriter } from '../../src/store/hour-log/run-writer.ts';
import { HOUR_START_MS } from './event-rows.ts';

const [folder = '', userCount = '0', eventsOfOne = '0'] = process.argv.slice(2);
const USERS = Number(userCount);
const EVENTS_OF_ONE = Number(eventsOfOne);
const AI = 'ai';

const numberOf = (place: number): string => String(place).padStart(8, '0');
/** Users and visitors come in different orders. */
const userOf = (place: number): string => `user-${numberOf((place * 7919) % USERS)}`;

function add(
  writer: RunWriter,
  head: string,
  place: number,
  line: string,
  { sendTimeMs, flags, extras }: { readonly sendTimeMs: number; readonly flags: number; readonly extras: Buffer },
): void {
  const keyHead = Buffer.from(head);
  const tail = Buffer.alloc(8 + ROW_ID_BYTES);
  writeKeyTime(tail, place, 0);
  tail.writeUInt32BE(place, 8);
  const lineBytes = Buffer.from(line);
  const bytes = Buffer.concat([keyHead, tail, lineBytes, extras]);
  const lineStart = keyHead.length + tail.length;
  const extrasStart = lineStart + lineBytes.length;
  writer.add({ bytes, flags, sendTimeMs, keyStart: 0, lineStart, extrasStart, end: bytes.length });
}

function writePages(path: string): void {
  const writer = new RunWriter(path, { syncs: false });
  writer.beginGroup(AI, 'page', 'rows');
  const commas = ','.repeat(columnsOf('page').length - 13);
  for (let place = 0; place < USERS; place += 1) {
    const visitor = `visitor-${numberOf(place)}`;
    const line = `${visitor},session,Web,shop.example.test,/,,,,,${place},${HOUR_START_MS},,${userOf(place)}${commas}\n`;
    const kept = { sendTimeMs: HOUR_START_MS - HOUR_MS, flags: 1, extras: Buffer.alloc(0) };
    add(writer, `${visitor}\0session\0`, place, line, kept);
  }
  writer.finish([], null);
}

function writeEvents(path: string): void {
  const writer = new RunWriter(path, { syncs: false });
  writer.beginGroup(AI, 'custom_event', 'incomplete');
  for (let place = 0; place < USERS + EVENTS_OF_ONE; place += 1) {
    const user = place < USERS ? userOf(place) : userOf(0);
    const line = `,,${place},${HOUR_START_MS},,,,,buy,,,${user},\n`;
    const flags = ROW_FLAGS.firstOfEvent | ROW_FLAGS.incomplete;
    add(writer, '\0\0', place, line, { sendTimeMs: HOUR_START_MS, flags, extras: encodeExtras({ tm: String(place) }) });
  }
  writer.finish([], null);
}

/** Counts the events that have the visitor whose page has their number. */
function countRight(paths: readonly string[]): number {
  let right = 0;
  for (const { block, lineStart, extrasStart } of mergeCursors(
    openCursors(paths.map(readRun), AI, 'custom_event', 'rows'),
  )) {
    const textOf = (place: number): string => {
      const { start, end } = findField(block, lineStart, extrasStart, place)!;
      return block.toString('latin1', start, end);
    };
    const place = Number(textOf(2));
    if (textOf(0) === `visitor-${numberOf(place < USERS ? place : 0)}` && textOf(1) === 'session') right += 1;
  }
  return right;
}

const [pages, events] = [join(folder, 'pages.run'), join(folder, 'events.run')];
writePages(pages);
writeEvents(events);
const { runs, faults } = linkServerEvents({
  runPaths: [events],
  earlierRunPaths: [pages],
  tailRunPaths: [],
  projects: [AI],
  folder,
  prefix: 'linked',
});
const right = countRight(runs.map((name) => join(folder, name)));
const maxBytes = process.resourceUsage().maxRSS * 1024;
console.log(JSON.stringify({ right, faults, maxBytes }));
