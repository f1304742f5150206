/** Downloads packages and makes one table of them, without headers. */
import { createWriteStream } from 'node:fs';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';

const LINE_END = 0x0a;

/** Writes the rows of packages of one data type to a file. Gives the count of line ends, which are rows where no value has one. */
export async function downloadTable(links: readonly string[], path: string): Promise<number> {
  let lines = 0;
  for (const link of links) {
    const response = await fetch(link, { headers: { 'Accept-Encoding': 'identity' } });
    if (!response.ok || !response.body) throw new Error(`A package was refused with ${response.status}.`);
    const counting = new Transform({
      transform(chunk: Buffer, _, done) {
        for (let at = chunk.indexOf(LINE_END); at >= 0; at = chunk.indexOf(LINE_END, at + 1)) lines += 1;
        done(null, chunk);
      },
    });
    await pipeline(
      Readable.fromWeb(response.body),
      createGunzip(),
      headless(),
      counting,
      createWriteStream(path, { flags: 'a' }),
    );
  }
  return lines;
}

/** Leaves out the first line. */
function headless(): Transform {
  let isInHeader = true;
  return new Transform({
    transform(chunk: Buffer, _, done) {
      if (!isInHeader) {
        done(null, chunk);
        return;
      }
      const end = chunk.indexOf(LINE_END);
      isInHeader = end < 0;
      done(null, isInHeader ? undefined : chunk.subarray(end + 1));
    },
  });
}
