/** Requests recorded from real SDKs (test/data/recordings), sent again byte for byte. */
import { readFileSync } from 'node:fs';

export type Recording = {
  readonly sdk: string;
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
};

/** Reads the recorded requests of one SDK, in order. */
export function readRecordings(sdk: string): readonly Recording[] {
  const file = new URL(`../data/recordings/${sdk}.ndjson`, import.meta.url);
  return readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Recording);
}

/** Sends a recorded request to a server. The recordings' project is the test server's. */
export async function replay(baseUrl: string, recording: Recording): Promise<Response> {
  const body = recording.body === '' ? {} : { body: Buffer.from(recording.body, 'base64') };
  const response = await fetch(baseUrl + recording.path, {
    method: recording.method,
    headers: { ...recording.headers },
    ...body,
  });
  await response.clone().arrayBuffer();
  return response;
}
