/** The ledger of an hour as each of its readers sees it: the operator, the data engineer, and Prometheus. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findManifestFault } from '../src/catalog/public-manifest.ts';
import type { PublicManifest } from '../src/catalog/manifest-schema.ts';
import { getToken } from '../src/client/export-client.ts';
import { addHours, formatBeijingHour, type Hour } from '../src/events/hour.ts';
import { endStatus } from './helpers/hour-status.ts';
import { readMetrics } from './helpers/read-metrics.ts';
import { startRecentServer, type RecentServer } from './helpers/recent-server.ts';
import { send, sendEvents } from './helpers/send-events.ts';
import { runTidegate } from './helpers/tidegate-command.ts';

type Event = Readonly<Record<string, unknown>>;

const TM = 1_795_472_990_000;
const of = (t: string): Event => ({ t, u: 'u', s: 's', tm: TM, d: 'shop.example.test', p: '/' });
const EVENTS: readonly Event[] = [
  of('vst'),
  of('page'),
  { ...of('clck'), ptm: TM, e: [{ x: '/a' }, { x: '/b' }, { x: '/c' }] },
  of('imp'),
  of('imp'),
  of('a type of tomorrow'),
  { ...of('page'), tm: 'x' },
  { u: 'u' },
];

/** What comes of the events above when they are sent twice. */
const EVENTS_BY_LINE = {
  unknown: { received: 2, accepted: 0, rejected: 2, ignored: 0 },
  visit: { received: 2, accepted: 2, rejected: 0, ignored: 0 },
  page: { received: 4, accepted: 2, rejected: 2, ignored: 0 },
  action: { received: 2, accepted: 2, rejected: 0, ignored: 0 },
  imp: { received: 4, accepted: 0, rejected: 0, ignored: 4 },
  other: { received: 2, accepted: 0, rejected: 0, ignored: 2 },
};
const ROWS_BY_TYPE = {
  visit: { made: 2, exported: 1, duplicates: 1 },
  page: { made: 2, exported: 1, duplicates: 1 },
  action: { made: 6, exported: 3, duplicates: 3 },
};

function ledger({ data, project }: RecentServer, hour: Hour, ...more: readonly string[]) {
  return runTidegate('ledger', '--data', data, '--ai', project.ai, '--hour', formatBeijingHour(hour), ...more);
}

test('the ledger of an hour', async (t) => {
  const server = await startRecentServer(t);
  const { hour } = server;
  for (const path of ['v3', 'v2']) await sendEvents(server, `/${path}/${server.project.ai}/web/pv`, EVENTS);

  await t.test('is not there before the hour is exported, and the command says so', async () => {
    const { exitCode, stdout, stderr } = await ledger(server, hour);
    assert.deepEqual([exitCode, stdout], [1, '']);
    assert.match(stderr, /has no export: it has not ended, or it is not kept/);
  });

  server.endHour(hour);
  assert.equal((await endStatus(server, hour)).status, 'FINISHED');
  const { baseUrl, clock, project } = server;
  const token = await getToken({ ...project, baseUrl, clock, project: project.uid });
  const manifestOf = async (date: string) =>
    send(server, {
      path: `/api/v1/projects/${project.ai}/hours/${date}/manifest`,
      method: 'GET',
      headers: { Authorization: token },
    });
  const answer = await manifestOf(formatBeijingHour(hour));
  const manifest = JSON.parse(answer.text) as PublicManifest;

  await t.test('balances in the manifest, which proves itself with the key of the server', async () => {
    assert.deepEqual(manifest.ledger, { events: EVENTS_BY_LINE, rows: ROWS_BY_TYPE, imported: 0 });
    const wellKnown = await send(server, { path: '/.well-known/tidegate.json', method: 'GET' });
    const { publicKeyPem } = JSON.parse(wellKnown.text) as { publicKeyPem: string };
    assert.equal(findManifestFault([manifest], publicKeyPem), undefined);
  });

  await t.test('is printed as two tables with their sums', async () => {
    const { exitCode, stdout } = await ledger(server, hour);
    assert.equal(exitCode, 0);
    const [first, second, third, ...tables] = stdout.trimEnd().split('\n');
    assert.equal(first, `Project ${project.ai}, hour ${formatBeijingHour(hour)} (Beijing time)`);
    assert.equal(
      second,
      `Revision 1, entry 1 of the publication log, 3 packages, published ${new Date(clock.nowMs()).toISOString()}`,
    );
    assert.equal(third, `Hash ${manifest.hash}`);
    assert.deepEqual(
      tables.map((line) => line.trim().split(/  +/).join(' | ')),
      [
        '',
        'events | received | = accepted | + rejected | + ignored',
        'unknown | 2 | 0 | 2 | 0',
        'visit | 2 | 2 | 0 | 0',
        'page | 4 | 2 | 2 | 0',
        'action | 2 | 2 | 0 | 0',
        'imp | 4 | 0 | 0 | 4',
        'other | 2 | 0 | 0 | 2',
        'total | 16 | 6 | 4 | 6',
        '',
        'rows | made | = exported | + duplicates',
        'visit | 2 | 1 | 1',
        'page | 2 | 1 | 1',
        'action | 6 | 3 | 3',
        'total | 10 | 5 | 5',
      ],
    );
  });

  await t.test('is printed as JSON', async () => {
    const { stdout } = await ledger(server, hour, '--json');
    const printed = JSON.parse(stdout) as Record<string, unknown>;
    const { ai, hour: date, revision, seq, hash, publishedAt, contentSha256, prev, signature } = manifest;
    assert.deepEqual(printed, {
      ...{ ai, hour: date, revision, seq, prev, publishedAt, contentSha256, hash, signature },
      ...{ ledger: manifest.ledger, status: 'finished', error: null },
    });
  });

  await t.test('is added up in the metrics', async () => {
    await sendEvents(server, `/v3/${project.ai}/web/pv`, [of('page')]);
    server.endHour(addHours(hour, 1));
    assert.equal((await endStatus(server, addHours(hour, 1))).status, 'FINISHED');
    assert.deepEqual(
      await readMetrics(server, /ledger/),
      [
        'tidegate_export_ledger_unbalanced_total 0',
        ...Object.entries(EVENTS_BY_LINE).flatMap(([line, counts]) =>
          Object.entries(counts).map(([outcome, count]) => {
            const more = line === 'page' && (outcome === 'received' || outcome === 'accepted') ? 1 : 0;
            return `tidegate_ledger_events_total{line="${line}",outcome="${outcome}"} ${count + more}`;
          }),
        ),
        ...Object.entries(ROWS_BY_TYPE).flatMap(([dataType, counts]) =>
          Object.entries(counts).map(([name, count]) => {
            const outcome = name === 'duplicates' ? 'duplicate' : name;
            const more = dataType === 'page' && outcome !== 'duplicate' ? 1 : 0;
            return `tidegate_ledger_rows_total{data_type="${dataType}",outcome="${outcome}"} ${count + more}`;
          }),
        ),
      ].sort(),
    );
  });

  await t.test('is refused for a project or an hour that does not exist', async () => {
    const unknown = await runTidegate('ledger', '--data', server.data, '--ai', 'nobody', '--hour', '2026112400');
    assert.deepEqual([unknown.exitCode, unknown.stderr.includes('There is no project nobody')], [1, true]);
    const noHour = await runTidegate('ledger', '--data', server.data, '--ai', project.ai, '--hour', '2026112424');
    assert.deepEqual([noHour.exitCode, noHour.stderr.includes('"2026112424" is no hour')], [2, true]);
    const noData = await runTidegate('ledger', '--data', `${server.data}x`, '--ai', project.ai, '--hour', '2026112400');
    assert.deepEqual([noData.exitCode, noData.stderr.includes('There is no Tidegate data in')], [1, true]);
  });
});
