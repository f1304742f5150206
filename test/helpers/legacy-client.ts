/** A client of the 1.0 API, written from its document and sharing no code with src/. */
import assert from 'node:assert/strict';
import { createHash, createHmac } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import type { Project } from '../../src/catalog/catalog.ts';
import type { Clock } from '../../src/lib/clock.ts';
import { parseCsv } from './parse-csv.ts';
import { waitUntil } from './wait-until.ts';

export type LegacyRow = Readonly<Record<string, string | null>>;

export type LegacyAnswer = { readonly status: string; readonly downlinks: readonly string[] };

/** The rows of each table, in the order of the packages. */
export type LegacyTables = Readonly<Record<string, readonly LegacyRow[]>>;

/** The server that is asked, and for whom. */
type Asked = { readonly baseUrl: string; readonly project: Project; readonly clock: Clock };

/** Asks for a token with a form, as the scripts of the time did. */
export async function legacyToken({ baseUrl, project, clock }: Asked): Promise<string> {
  const { ai, uid, secret, clientId } = project;
  const tm = String(clock.nowMs());
  const auth = createHmac('sha256', secret).update(`POST\n/auth/token\nproject=${uid}&ai=${ai}&tm=${tm}`).digest('hex');
  const response = await fetch(`${baseUrl}/auth/token`, {
    method: 'POST',
    headers: { 'X-Client-Id': clientId },
    body: new URLSearchParams({ project: uid, ai, tm, auth }),
  });
  return ((await response.json()) as { readonly code: string }).code;
}

/** Makes one call; the answer must have the two members of the document and no other. */
export async function askLegacy(
  { baseUrl, project }: Pick<Asked, 'baseUrl' | 'project'>,
  token: string,
  date: string,
): Promise<LegacyAnswer> {
  const headers = { 'X-Client-Id': project.clientId, Authorization: `Token ${token}` };
  const response = await fetch(`${baseUrl}/insights/${project.ai}/${date}.json?expire=5`, { headers });
  const answer = (await response.json()) as LegacyAnswer;
  assert.deepEqual(Object.keys(answer), ['status', 'downlinks']);
  return answer;
}

/** Polls until the date is FINISHED, and gives its links. */
export async function legacyLinks(server: Asked, date: string): Promise<readonly string[]> {
  const token = await legacyToken(server);
  const { downlinks } = await waitUntil(`the 1.0 packages of ${date} are FINISHED`, async () => {
    const answer = await askLegacy(server, token, date);
    assert.notEqual(answer.status, 'ERROR');
    return answer.status === 'FINISHED' && answer;
  });
  return downlinks;
}

/** Polls until the date is FINISHED, and reads its packages. */
export async function readLegacy(server: Asked, date: string): Promise<LegacyTables> {
  const tables: Record<string, LegacyRow[]> = {};
  for (const link of await legacyLinks(server, date)) {
    const [, table] = /_[0-9A-Za-z-]+_([a-z_]+)_\d{12}\//.exec(link) ?? [];
    const { header, rows } = await downloadLegacy(link);
    const named = rows.map((row) => Object.fromEntries(header.map((name, place) => [name, row[place] ?? null])));
    (tables[table!] ??= []).push(...named);
  }
  return tables;
}

/** Downloads a package and checks it against its headers. */
export async function downloadLegacy(
  link: string,
): Promise<{ readonly header: readonly string[]; readonly rows: readonly (readonly (string | null)[])[] }> {
  const response = await fetch(link);
  assert.equal(response.status, 200);
  const gzip = Buffer.from(await response.arrayBuffer());
  assert.equal(response.headers.get('x-amz-meta-md5-hash'), createHash('md5').update(gzip).digest('hex'));
  assert.equal(Number(response.headers.get('Content-Length')), gzip.length);
  const [header, ...rows] = parseCsv(gunzipSync(gzip).toString());
  return { header: header!.map((name) => name ?? ''), rows };
}
