import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { headerLine } from '../events/data-types.ts';
import { addHours } from '../events/hour.ts';
import { beijingHour, createProject, openTestApi, publishHour } from '../http/api.test-helper.ts';
import { downloadPackage, downloadPackageToFile, ExportCallError, ExportClient, getToken } from './export-client.ts';
import { atEnd } from '../../test/helpers/at-end.ts';
import { temporaryFolder } from '../../test/helpers/temporary-folder.ts';

/** A server that gives one answer to everything. */
async function openAnswering(t: TestContext, listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  atEnd(t, () => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe('ExportClient', () => {
  test('goes the whole way from the secret to the rows', async (t) => {
    const { baseUrl, clock, ...api } = await openTestApi(t);
    const { ai, uid, clientId, secret, ...rest } = await createProject(api.catalog);
    const hour = beijingHour('2018071700');
    for (let after = 0; after < 24; after += 1) {
      const contents = after === 9 ? { page: ['a\n', 'b\n'], visit: ['c\n'] } : {};
      await publishHour(api, { ai, uid, clientId, secret, ...rest }, addHours(hour, after), contents);
    }
    const token = await getToken({ baseUrl, clientId, secret, project: uid, ai, clock });
    const client = new ExportClient({ baseUrl, clientId, token, ai });

    const oneType = await client.exportHour('page', { date: '2018071709', expireMinutes: 60 });
    assert.deepEqual([oneType.httpStatus, oneType.status, oneType.dataType], [200, 'FINISHED', 'page']);
    const rows = await Promise.all(oneType.downloadLinks.map((link) => downloadPackage(link)));
    assert.deepEqual(
      rows.map((gzip) => String(gunzipSync(gzip))),
      [`${headerLine('page')}a\n`, `${headerLine('page')}b\n`],
    );
    assert.equal((await client.exportDay('page', { date: '20180717' })).downloadLinks.length, 2);
    assert.equal((await client.exportWholeHour({ date: '2018071709' })).downloadLinks.visit.length, 1);
    assert.equal((await client.exportWholeDay({ date: '20180717' })).downloadLinks.page.length, 2);
    const future = await client.exportHour('page', { date: '2018071810' });
    assert.deepEqual([future.status, future.retryAfterSeconds], ['NOT_EXISTS', 1860]);
    assert.equal((await client.exportHour('page', { date: 'x' })).httpStatus, 400);

    const path = join(await temporaryFolder(t), 'page.csv.gz');
    await downloadPackageToFile(oneType.downloadLinks[0]!, path);
    assert.deepEqual(await readFile(path), rows[0]);
  });

  test('throws when the server refuses', async (t) => {
    const { baseUrl, clock, catalog } = await openTestApi(t);
    const { ai, uid, clientId } = await createProject(catalog);
    const refused = (httpStatus: number) => (error: unknown) =>
      error instanceof ExportCallError && error.httpStatus === httpStatus;
    await assert.rejects(getToken({ baseUrl, clientId, secret: 'wrong', project: uid, ai, clock }), refused(401));
    const client = new ExportClient({ baseUrl, clientId, token: 'wrong', ai });
    await assert.rejects(client.exportHour('page', { date: '2018071709' }), refused(401));
    await assert.rejects(
      downloadPackage(`${baseUrl}/a_b_page_v2_201807170100/x.gz?Expires=1&Signature=0`),
      refused(403),
    );
    const html = await openAnswering(t, (_req, res) => res.writeHead(502).end('<html>'));
    await assert.rejects(getToken({ baseUrl: html, clientId, secret: 'x', project: uid, ai, clock }), refused(502));
  });

  test('keeps no file of a download that is cut short or damaged', async (t) => {
    const folder = await temporaryFolder(t);
    const short = await openAnswering(t, (_req, res) => {
      res.writeHead(200, { 'Content-Length': 10 });
      res.write('12345', () => res.destroy());
    });
    const damaged = await openAnswering(t, (_req, res) => {
      res.writeHead(200, { 'x-amz-meta-md5-hash': createHash('md5').update('other').digest('hex') }).end('12345');
    });
    await assert.rejects(downloadPackageToFile(short, join(folder, 'short')));
    await assert.rejects(downloadPackageToFile(damaged, join(folder, 'damaged')), /does not have the MD5/);
    await assert.rejects(downloadPackage(damaged), ExportCallError);
    assert.deepEqual(await readdir(folder), []);
  });
});
