/** Writes bodies in the form that wrk.lua reads: the length in bytes, a line end, the body. */
import { writeFile } from 'node:fs/promises';

export async function writeBodies(path: string, bodies: Iterable<Buffer>): Promise<string> {
  const pieces = [...bodies].flatMap((body) => [Buffer.from(`${body.length}\n`), body]);
  await writeFile(path, Buffer.concat(pieces));
  return path;
}
