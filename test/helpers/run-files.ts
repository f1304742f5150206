/** Damages the files of an hour log, as a disk or a fault of the program might. */
import { open, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DataType } from '../../src/events/data-types.ts';
import type { Hour } from '../../src/events/hour.ts';
import { hourFolder } from '../../src/store/hour-log/layout.ts';
import { openCursors, readRun } from '../../src/store/hour-log/run-reader.ts';
import { RunWriter } from '../../src/store/hour-log/run-writer.ts';

/** Lists the files of an hour with this ending, by name. */
export async function hourFiles(data: string, hour: Hour, suffix: string): Promise<readonly string[]> {
  const folder = hourFolder(join(data, 'hour-log'), hour);
  const names = await readdir(folder).catch(() => []);
  return names
    .filter((name) => name.endsWith(suffix))
    .sort()
    .map((name) => join(folder, name));
}

/** Flips the bits of one byte; gives what puts it right again. */
export async function flipByte(path: string, at: number): Promise<() => Promise<void>> {
  const flip = async (): Promise<void> => {
    const file = await open(path, 'r+');
    const { buffer } = await file.read(Buffer.alloc(1), 0, 1, at);
    buffer[0]! ^= 0xff;
    await file.write(buffer, 0, 1, at);
    await file.close();
  };
  await flip();
  return flip;
}

/** Writes a run anew without its first record of this type, with valid checksums; gives what puts it right again. */
export async function dropRecord(path: string, dataType: DataType): Promise<() => Promise<void>> {
  const original = await readFile(path);
  const run = readRun(path);
  const writer = new RunWriter(path);
  let isDropped = false;
  for (const { ai, kind, part } of run.index.groups) {
    writer.beginGroup(ai, kind, part);
    for (const cursor of openCursors([run], ai, kind, part)) {
      while (cursor.next()) {
        if (kind === dataType && part === 'rows' && !isDropped) {
          isDropped = true;
          continue;
        }
        const { block: bytes, flags, sendTimeMs, keyStart, lineStart, extrasStart, recordEnd: end } = cursor;
        writer.add({ bytes, flags, sendTimeMs, keyStart, lineStart, extrasStart, end });
      }
    }
  }
  writer.finish(run.index.receipts, run.index.source);
  if (!isDropped) throw new Error(`${path} holds no record of ${dataType}`);
  return () => writeFile(path, original);
}
