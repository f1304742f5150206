/** Asks a server process what clients and operators ask, and gives the whole answer. */
import assert from 'node:assert/strict';
import { ExportClient, getToken } from '../../src/client/export-client.ts';
import type { ServerProcess } from './server-process.ts';
import { TEST_PROJECT } from './test-server.ts';

export type Posted = {
  readonly status: number;
  readonly retryAfter: string;
  readonly body: { readonly code: string; readonly message: string };
};

/** Posts custom events with these names in one request, and waits for the answer however long it takes. */
export async function post({ baseUrl }: Pick<ServerProcess, 'baseUrl'>, names: readonly string[]): Promise<Posted> {
  const events = names.map((n) => ({ t: 'cstm', tm: 1, u: `visitor-${n.length}`, s: 'session', d: 'shop', n }));
  const path = `${baseUrl}/v3/${TEST_PROJECT.ai}/web/cstm`;
  const response = await fetch(path, { method: 'POST', body: JSON.stringify(events) });
  const body = (await response.json()) as Posted['body'];
  return { status: response.status, retryAfter: response.headers.get('retry-after') ?? '', body };
}

/** Asks whether the server is ready. */
export async function isReady({ baseUrl }: Pick<ServerProcess, 'baseUrl'>): Promise<boolean> {
  return (await fetch(`${baseUrl}/readyz`)).status === 200;
}

/** Gives the sentence with which a check says that the server is not ready; fails when it is. */
export async function unreadiness({ baseUrl }: Pick<ServerProcess, 'baseUrl'>, check: string): Promise<string> {
  const response = await fetch(`${baseUrl}/readyz`);
  const { checks } = (await response.json()) as { checks: { name: string; message?: string }[] };
  assert.equal(response.status, 503);
  return checks.find(({ name }) => name === check)?.message ?? '';
}

/** Makes a client of the export API with a token. */
export async function exportClient({
  baseUrl,
  clock,
}: Pick<ServerProcess, 'baseUrl' | 'clock'>): Promise<ExportClient> {
  const { ai, uid, clientId, secret } = TEST_PROJECT;
  const token = await getToken({ baseUrl, clientId, secret, project: uid, ai, clock });
  return new ExportClient({ baseUrl, clientId, token, ai });
}
