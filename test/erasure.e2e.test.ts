/** Erasure: what a visitor left is nowhere under the data directory, and everybody else's rows are where they were. */
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { findCertificateFault } from '../src/catalog/erasure-certificate.ts';
import { openDataCatalog } from '../src/catalog/data-catalog.ts';
import { ExportClient, getToken } from '../src/client/export-client.ts';
import { addHours, formatBeijingHour, hourEndMs, hourOf, hourStartMs, type Hour } from '../src/events/hour.ts';
import type { ReceiptDocument } from '../src/http/erasure-routes.ts';
import { lockImports } from '../src/store/hour-log/import-lock.ts';
import { ImportWriter } from '../src/store/hour-log/import-writer.ts';
import { storeJobsInPlace } from '../src/store/hour-log/store-jobs.ts';
import { atEnd } from './helpers/at-end.ts';
import { eraseVisitors, filesWith, pollReceipt, untilErased } from './helpers/erase-visitors.ts';
import { eventBatch } from './helpers/event-rows.ts';
import { exportRows, readRejected } from './helpers/export-rows.ts';
import { startRecentServer } from './helpers/recent-server.ts';
import { flipByte, hourFiles } from './helpers/run-files.ts';
import { sendEvents } from './helpers/send-events.ts';
import { temporaryFolder } from './helpers/temporary-folder.ts';
import { startTestServer, type TestServer } from './helpers/test-server.ts';
import { runTidegate } from './helpers/tidegate-command.ts';
import { waitUntil } from './helpers/wait-until.ts';

/** No other visitor's id may hold this one, or the search for its bytes would find theirs. */
const VICTIM = 'victim,7f3a "é"';
const VICTIM_TEXT = 'victim,7f3a';

describe('erasure', () => {
  it('leaves nothing of a visitor under the data directory, and every row of all others', async (t) => {
    const server = await startTestServer(t);
    const hour = hourOf(server.clock.nowMs());
    for (const visitor of ['vict', VICTIM, 'zoe']) await visit(server, visitor);
    const before = await exportRows(server, hour);
    assert.equal(before.page.length, 3);
    await visit(server, VICTIM);
    const nextRows = await exportRows(server, addHours(hour, 1));
    assert.equal(nextRows.action.length, 2);
    assert.ok((await filesWith(server.data, VICTIM_TEXT)).length > 0);

    server.clock.set(server.clock.nowMs() + 1);
    const { receiptId, status } = await eraseVisitors(server, [VICTIM]);
    assert.equal(status, 'pending');
    const certificate = await untilErased(server, receiptId);
    assert.deepEqual(await filesWith(server.data, VICTIM_TEXT), []);

    const after = await exportRows(server, hour);
    for (const [dataType, rows] of Object.entries(after)) {
      const others = before[dataType as 'page'].filter((row) => row.visitUserId !== VICTIM);
      assert.deepEqual(rows, others, dataType);
    }
    assert.deepEqual(
      readRejected(server, hour).map(({ event }) => (event as { u: string }).u),
      ['vict', 'zoe'],
    );
    assert.deepEqual((await exportRows(server, addHours(hour, 1))).page, []);
    assert.deepEqual(
      certificate.hours.map(({ hour: name, rows }) => [name, rows]),
      [hour, addHours(hour, 1)].map((erased) => [
        formatBeijingHour(erased),
        { rejected: 1, visit: 1, page: 1, action: 2, custom_event: 2 },
      ]),
    );
  });

  it('answers 410 on links that were given out before, and publishes a revision whose ledger says what went', async (t) => {
    const server = await startTestServer(t);
    const hour = hourOf(server.clock.nowMs());
    await visit(server, VICTIM);
    await visit(server, 'zoe');
    server.clock.set(hourEndMs(hour));
    const [link] = await finishedLinks(server, hour);
    assert.equal((await fetch(link!)).status, 200);
    const certificate = await untilErased(server, (await eraseVisitors(server, [VICTIM])).receiptId);
    assert.equal((await fetch(link!)).status, 410);

    const catalog = await openDataCatalog(server.data, server.clock);
    atEnd(t, () => catalog.close());
    const { ai } = server.project;
    const manifest = await catalog.manifests.newest(ai, hour);
    assert.equal(manifest?.revision, 2);
    assert.deepEqual(manifest.facts.ledger.rows.action, { made: 4, exported: 2, duplicates: 0, erased: 2 });
    assert.deepEqual(manifest.facts.ledger.events.custom_event, {
      received: 6,
      accepted: 2,
      rejected: 1,
      ignored: 0,
      erased: 3,
    });
    const log = await catalog.manifests.listLog(ai, { fromSeq: 1, limit: 1000 });
    const ofHour = log.filter((entry) => entry.hour === hour);
    const { before, after } = certificate.hours[0]!;
    assert.deepEqual(
      [before?.hash, after?.hash],
      ofHour.map(({ hash }) => hash),
    );
    const { publicKeyPem } = catalog.serverKeys;
    assert.equal(findCertificateFault(certificate, publicKeyPem), undefined);
    assert.match(
      findCertificateFault({ ...certificate, doneAt: certificate.requestedAt.replace('5', '6') }, publicKeyPem) ?? '',
      /does not hash/,
    );
    const { exitCode, stdout, stderr } = await runTidegate('verify', '--data', server.data);
    assert.equal(exitCode, 0, stdout + stderr);
  });

  it('erases what came in before the request from the open hour before its first export, and nothing that came later', async (t) => {
    const server = await startTestServer(t);
    const hour = hourOf(server.clock.nowMs());
    await visit(server, VICTIM);
    await visit(server, 'zoe');
    server.clock.set(server.clock.nowMs() + 1000);
    const { receiptId, expectedBy } = await eraseVisitors(server, [VICTIM]);
    assert.equal(Date.parse(expectedBy), hourEndMs(hour) + 300_000);
    server.clock.set(server.clock.nowMs() + 1000);
    await sendEvents(server, `/v3/${server.project.ai}/web/pv`, [
      { t: 'vst', u: VICTIM, s: 'later', d: 'd', p: '/', tm: server.clock.nowMs() },
    ]);
    const rows = await exportRows(server, hour);
    assert.deepEqual(
      rows.visit.map(({ visitUserId, sessionId }) => [visitUserId, sessionId]),
      [
        [VICTIM, 'later'],
        ['zoe', 's-1'],
      ],
    );
    assert.equal(rows.page.length, 1);
    const certificate = await untilErased(server, receiptId);
    assert.deepEqual(
      certificate.hours.map(({ before, after }) => [before, after?.revision]),
      [[null, 1]],
    );
  });

  it('leaves what was published of an hour between its erasure and the end of all', async (t) => {
    const server = await startTestServer(t);
    const { ai } = server.project;
    const hour = hourOf(server.clock.nowMs());
    await visit(server, VICTIM);
    await visit(server, 'zoe');
    server.clock.set(hourEndMs(hour));
    await finishedLinks(server, hour);
    await visit(server, VICTIM);
    server.clock.set(server.clock.nowMs() + 1);
    const { receiptId } = await eraseVisitors(server, [VICTIM]); // not done before the open hour is
    const catalog = await openDataCatalog(server.data, server.clock);
    atEnd(t, () => catalog.close());
    const untilPublished = (revision: number): Promise<unknown> =>
      waitUntil(`revision ${revision}`, async () => (await catalog.manifests.newest(ai, hour))?.revision === revision);
    await untilPublished(2);
    const [link] = await finishedLinks(server, hour);
    await catalog.tasks.restart(ai, [hour], server.clock.nowMs()); // as a back-fill of tags does
    await untilPublished(3);
    server.clock.set(hourEndMs(addHours(hour, 1)));
    await untilErased(server, receiptId);
    assert.equal((await fetch(link!)).status, 200);
    const { exitCode, stdout, stderr } = await runTidegate('verify', '--data', server.data);
    assert.equal(exitCode, 0, stdout + stderr);
  });

  it('is done at once when the open hour holds nothing of the visitor', async (t) => {
    const server = await startTestServer(t);
    await visit(server, 'zoe');
    const certificate = await untilErased(server, (await eraseVisitors(server, [VICTIM])).receiptId);
    assert.deepEqual(certificate.hours, []);
    assert.equal(hourOf(Date.parse(certificate.doneAt)), hourOf(server.clock.nowMs()));
  });

  it('does all other hours when one is damaged, says which, and ends when it is mended', async (t) => {
    const server = await startTestServer(t);
    const hour = hourOf(server.clock.nowMs());
    await visit(server, VICTIM);
    await exportRows(server, hour);
    await visit(server, VICTIM);
    await exportRows(server, addHours(hour, 1));
    const [run] = await hourFiles(server.data, hour, '.run');
    const mend = await flipByte(run!, 40);
    const { receiptId } = await eraseVisitors(server, [VICTIM]);
    const { status } = await waitUntil('the receipt says what holds it up', async () => {
      const receipt = await pollReceipt(server, receiptId);
      return receipt.error?.includes(`Hour ${formatBeijingHour(hour)} (Beijing time) could not be erased`) && receipt;
    });
    assert.equal(status, 'pending');
    assert.deepEqual((await exportRows(server, addHours(hour, 1))).page, []);
    await mend();
    await server.close();
    const { data, clock } = server;
    const next = await startTestServer(t, { data, clock });
    const { hours } = await untilErased(next, receiptId);
    assert.equal(hours.length, 2);
    assert.deepEqual(await filesWith(data, VICTIM_TEXT), []);
  });

  it('does not end before an import that runs, and takes out what that has made of rows it read before', async (t) => {
    const server = await startTestServer(t);
    const hour = hourOf(server.clock.nowMs());
    await visit(server, VICTIM);
    await exportRows(server, hour);
    const root = join(server.data, 'hour-log');
    const lock = await lockImports(root);
    const writer = await ImportWriter.begin({ root, ai: server.project.ai, jobs: storeJobsInPlace });
    await writer.append(eventBatch(server.project.ai, [{ id: 'copy', visitor: VICTIM }]), hourStartMs(hour));
    const { receiptId } = await eraseVisitors(server, [VICTIM]);
    await waitUntil('the rows are gone', async () => (await exportRows(server, hour)).page.length === 0);
    assert.equal((await pollReceipt(server, receiptId)).status, 'pending');
    await writer.commit();
    await lock[Symbol.asyncDispose]();
    const { hours } = await untilErased(server, receiptId);
    assert.equal(hours.length, 1);
    assert.deepEqual(await filesWith(server.data, VICTIM_TEXT), []);
  });

  it('is asked for and shown by the command line, with and without a server', async (t) => {
    const server = await startRecentServer(t);
    const { hour } = server;
    for (const visitor of [VICTIM, 'zoe-4c81', 'max-77aa']) await visit(server, visitor);
    await exportRows(server, hour);
    const at = ['--data', server.data, '--ai', server.project.ai] as const;
    const asked = await runTidegate('erase', ...at, '--visitor', VICTIM, 'another', '--json');
    assert.equal(asked.exitCode, 0, asked.stderr);
    const { receiptId, visitors } = JSON.parse(asked.stdout) as { receiptId: string; visitors: number };
    assert.equal(visitors, 2);
    await untilErased(server, receiptId);
    assert.deepEqual(await filesWith(server.data, VICTIM_TEXT), []);
    const shown = await runTidegate('erase', 'status', ...at, '--receipt', receiptId);
    assert.match(
      shown.stdout,
      /2 visitors.*done at .*\n {2}\d{10} \(Beijing time\): 1 rejected.*revision 1 .* -> revision 2/,
    );

    const beside = await runTidegate('erase', ...at, '--visitor', 'zoe-4c81', '--wait', '--json');
    assert.equal(beside.exitCode, 0, beside.stderr);
    assert.deepEqual(await filesWith(server.data, 'zoe-4c81'), []);
    await server.close();
    const alone = await runTidegate('erase', ...at, '--visitor', 'max-77aa', '--wait', '--json');
    assert.equal(alone.exitCode, 0, alone.stderr);
    const { status, certificate } = JSON.parse(alone.stdout) as ReceiptDocument;
    assert.equal(status, 'done');
    assert.equal(certificate?.hours[0]?.after?.revision, 4);
    assert.deepEqual(await filesWith(server.data, 'max-77aa'), []);
    const refused = await runTidegate('erase', ...at, '--visitor', ...Array.from({ length: 101 }, (_, i) => `u${i}`));
    assert.match(refused.stderr, /101 visitors are named; 1 to 100 can be/);
  });

  it('knows a visitor by the id that was sent, also where rows hold it with its unsafe characters replaced', async (t) => {
    const server = await startRecentServer(t);
    const ids = ['nul\0-4c81', 'lone\ud800-4c81'];
    for (const id of ids) await visit(server, id);
    await exportRows(server, server.hour);
    server.clock.set(server.clock.nowMs() + 1);
    await untilErased(server, (await eraseVisitors(server, ids)).receiptId);
    assert.deepEqual((await exportRows(server, server.hour)).page, []);
    assert.deepEqual(await filesWith(server.data, '-4c81'), []);
  });

  it('is not done before an earlier one of the same visitor is, whose request keeps the id', async (t) => {
    const server = await startRecentServer(t);
    await visit(server, VICTIM);
    await exportRows(server, server.hour);
    await server.close();
    const erase = ['erase', '--data', server.data, '--ai', server.project.ai, '--visitor', VICTIM] as const;
    assert.equal((await runTidegate(...erase)).exitCode, 0);
    const waited = await runTidegate(...erase, '--wait');
    assert.equal(waited.exitCode, 0, waited.stderr);
    assert.deepEqual(await filesWith(server.data, VICTIM_TEXT), []);
    const at = ['--data', server.data, '--ai', server.project.ai] as const;
    assert.doesNotMatch((await runTidegate('erase', 'status', ...at)).stdout, /pending/);
  });

  it('makes a backup anew without the visitor, in its place', async (t) => {
    const server = await startRecentServer(t);
    const { hour } = server;
    await visit(server, VICTIM);
    await visit(server, 'zoe');
    await exportRows(server, hour);
    await visit(server, VICTIM); // in the hour that is open in the backup
    const folder = await temporaryFolder(t);
    const backup = join(folder, 'backup');
    const { exitCode } = await runTidegate('backup', '--data', server.data, backup);
    assert.equal(exitCode, 0);
    const { startedAt } = JSON.parse(await readFile(join(backup, 'backup.json'), 'utf8')) as { startedAt: string };
    const erased = await runTidegate(
      'erase',
      'backup',
      '--ai',
      server.project.ai,
      '--visitor',
      VICTIM,
      '--json',
      backup,
    );
    assert.equal(erased.exitCode, 0, erased.stderr);
    assert.equal((JSON.parse(erased.stdout) as { hours: object[] }[])[0]?.hours.length, 2);
    assert.deepEqual(await readdir(folder), ['backup']);
    assert.deepEqual(await filesWith(backup, VICTIM_TEXT), []);
    assert.ok((await filesWith(backup, 'zoe')).length > 0);
    const list = JSON.parse(await readFile(join(backup, 'backup.json'), 'utf8')) as { startedAt: string };
    assert.equal(list.startedAt, startedAt);
    const restored = await runTidegate('restore', backup, '--data', join(folder, 'restored'));
    assert.equal(restored.exitCode, 0, restored.stderr);
    const verified = await runTidegate('verify', '--data', join(folder, 'restored'));
    assert.equal(verified.exitCode, 0, verified.stdout);
    assert.ok((await filesWith(server.data, VICTIM_TEXT)).length > 0, 'the data directory itself is not touched');
  });
});

/** One visit: a row of each of four types and two actions, an event without its page's domain, and one that is rejected. */
async function visit(server: TestServer, u: string): Promise<void> {
  const tm = server.clock.nowMs();
  const common = { u, s: 's-1', d: 'shop.example', p: '/', tm };
  const receipt = await sendEvents(server, `/v3/${server.project.ai}/web/pv`, [
    { t: 'vst', ...common },
    { t: 'page', ...common },
    {
      t: 'clck',
      ...common,
      ptm: tm,
      e: [
        { x: '/div', tm },
        { x: '/a', tm },
      ],
    },
    { t: 'cstm', u, s: 's-1', p: '/', tm, ptm: tm, n: 'remembered page' },
    { t: 'cstm', u, s: 's-1', p: '/', tm, ptm: tm - 5, n: 'page of nobody' },
    { t: 'cstm', u },
  ]);
  assert.equal(receipt.rejected, 1);
}

async function finishedLinks(server: TestServer, hour: Hour): Promise<readonly string[]> {
  const { baseUrl, clock, project } = server;
  const { ai, uid, clientId, secret } = project;
  const token = await getToken({ baseUrl, clientId, secret, project: uid, ai, clock });
  const client = new ExportClient({ baseUrl, clientId, token, ai });
  const answer = await waitUntil('the hour is FINISHED', async () => {
    const asked = await client.exportHour('page', { date: formatBeijingHour(hour), expireMinutes: 600 });
    return asked.status === 'FINISHED' && asked;
  });
  return answer.downloadLinks;
}
