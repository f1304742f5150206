/** `tidegate verify`: says yes to what a server published and to what was downloaded from it, and names whatever was changed. */
import assert from 'node:assert/strict';
import { copyFile, mkdir, readdir, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import type { PublicManifest } from '../src/catalog/manifest-schema.ts';
import { downloadPackageToFile, ExportClient, getToken } from '../src/client/export-client.ts';
import { addHours, formatBeijingHour } from '../src/events/hour.ts';
import { endStatus } from './helpers/hour-status.ts';
import { startRecentServer, type RecentServer } from './helpers/recent-server.ts';
import { flipByte } from './helpers/run-files.ts';
import { sendEvents } from './helpers/send-events.ts';
import { temporaryFolder } from './helpers/temporary-folder.ts';
import { runTidegate } from './helpers/tidegate-command.ts';

type Event = Readonly<Record<string, unknown>>;

const EVENTS_PER_HOUR = 60;
const event = (number: number): Event => ({
  t: number % 3 === 0 ? 'cstm' : 'page',
  u: `visitor-${number}`,
  s: 'session',
  tm: 1_795_472_990_000 + number,
  d: 'shop.example.test',
  p: '/"quoted",\\\nand broken',
  n: 'buy',
  var: { note: `line one\nline two "${number}"` },
});

/** A server with three published hours of several packages each, the last of them without rows. */
async function publishHours(t: TestContext): Promise<RecentServer> {
  const server = await startRecentServer(t, { packageBytes: 1024 });
  for (const hours of [0, 1, 2]) {
    const events =
      hours === 2 ? [] : Array.from({ length: EVENTS_PER_HOUR }, (_, number) => event(100 * hours + number));
    if (events.length > 0) await sendEvents(server, `/v3/${server.project.ai}/web/pv`, events);
    server.endHour(addHours(server.hour, hours));
    assert.equal((await endStatus(server, addHours(server.hour, hours))).status, 'FINISHED');
  }
  return server;
}

function verify(...args: readonly string[]) {
  return runTidegate('verify', ...args);
}

/** Lists the package files of a data directory. */
async function packageFiles(data: string): Promise<readonly string[]> {
  const names = await readdir(join(data, 'packages'), { recursive: true });
  return names.filter((name) => name.endsWith('.gz')).sort();
}

test('verify of a data directory', async (t) => {
  const server = await publishHours(t);
  const { data } = server;
  const files = await packageFiles(data);
  const [file = ''] = files;
  const path = join(data, 'packages', file);

  await t.test('says what it checked and finds nothing wrong beside a running server', async () => {
    const { exitCode, stdout, stderr } = await verify('--data', data);
    assert.deepEqual([exitCode, stderr], [0, '']);
    assert.ok(files.length > 4, 'several packages');
    assert.match(
      stdout,
      new RegExp(
        `^Checked 3 log entries, 3 manifests and ${files.length} packages with 120 rows in \\d+ bytes\\.\nNo fault was found\\.\n$`,
      ),
    );
  });

  const faulty: readonly [what: string, damage: () => Promise<() => Promise<unknown>>, fault: RegExp][] = [
    [
      'a flipped byte of a package',
      () => flipByte(path, 100),
      /its MD5 is [0-9a-f]{32} instead of [0-9a-f]{32}; its SHA-256 is [0-9a-f]{64} instead of/,
    ],
    [
      'a package cut short',
      async () => {
        const bytes = await readFile(path);
        await truncate(path, bytes.length - 1);
        return () => writeFile(path, bytes);
      },
      /it has \d+ bytes instead of \d+/,
    ],
    [
      'a package that is gone',
      async () => {
        await rename(path, `${path}.away`);
        return () => rename(`${path}.away`, path);
      },
      /it is not in the package store/,
    ],
  ];
  for (const [what, damage, fault] of faulty) {
    await t.test(`names ${what} in one line and ends with 1`, async () => {
      const restore = await damage();
      const { exitCode, stdout, stderr } = await verify('--data', data, '--ai', server.project.ai);
      await restore();
      assert.equal(exitCode, 1);
      assert.match(stderr, /^tidegate: 1 fault was found\./);
      const lines = stdout.split('\n').filter((line) => line.startsWith('fault: '));
      assert.equal(lines.length, 1, stdout);
      assert.ok(lines[0]!.includes(file), lines[0]);
      assert.match(lines[0]!, fault);
    });
  }

  await t.test('gives its findings as JSON', async () => {
    const restore = await flipByte(path, 100);
    const { exitCode, stdout } = await verify('--data', data, '--json');
    await restore();
    const printed = JSON.parse(stdout) as { readonly faults: readonly string[]; readonly notes: unknown };
    assert.equal(exitCode, 1);
    assert.equal(printed.faults.length, 1);
    assert.deepEqual(printed.notes, []);
  });

  await t.test('refuses a project or a directory that is not there', async () => {
    assert.match((await verify('--data', data, '--ai', 'nobody')).stderr, /There is no project nobody/);
    assert.match((await verify('--data', `${data}x`)).stderr, /There is no Tidegate data in/);
    assert.match((await verify('--data', data, 'downloads')).stderr, /name its manifests: --manifest FILE/);
  });
});

test('verify of a data directory whose catalog was changed by hand', async (t) => {
  const server = await publishHours(t);
  await server.close();
  const catalog = join(server.data, 'catalog.sqlite');
  const original = await readFile(catalog);
  const cases: readonly [what: string, statement: string, faults: readonly RegExp[]][] = [
    [
      'a changed count of rows',
      'UPDATE package SET rows = rows + 1 WHERE part = 0 AND data_type = 1 AND revision = 1 AND hour = (SELECT min(hour) FROM package)',
      [
        /Entry 1 of .* published something else/,
        /page: 40 rows exported, but its packages have 41/,
        /it has \d+ rows instead of/,
      ],
    ],
    [
      'a changed ledger that still balances',
      `UPDATE manifest SET facts = replace(facts, '"received":40,"accepted":40', '"received":39,"accepted":39')
        WHERE hour = (SELECT min(hour) FROM manifest)`,
      [/Entry 1 of .* published something else/],
    ],
    [
      'a changed log entry',
      'UPDATE publication SET published_at_ms = published_at_ms + 1 WHERE seq = 2',
      [/Entry 2 of .* does not hash to/, /Entry 2 of .* does not hash to/],
    ],
    [
      'a missing log entry, with its manifest',
      `DELETE FROM package WHERE hour = (SELECT hour FROM publication WHERE seq = 2);
       DELETE FROM manifest WHERE hour = (SELECT hour FROM publication WHERE seq = 2);
       DELETE FROM publication WHERE seq = 2`,
      [/Entry 3 of .* is out of sequence/, /is FINISHED and has no manifest/],
    ],
    [
      'a manifest whose entry has been cut off the end of the log',
      'PRAGMA foreign_keys = OFF; DELETE FROM publication WHERE seq = (SELECT max(seq) FROM publication)',
      [/has a manifest and no entry in the log/],
    ],
    [
      'a log that begins late',
      `DELETE FROM package WHERE hour = (SELECT hour FROM publication WHERE seq = 1);
       DELETE FROM manifest WHERE hour = (SELECT hour FROM publication WHERE seq = 1);
       DELETE FROM publication WHERE seq = 1`,
      [/The log of .* begins with entry 2/],
    ],
  ];
  for (const [what, statement, faults] of cases) {
    await t.test(`finds ${what}`, async () => {
      for (const suffix of ['-wal', '-shm']) await rm(catalog + suffix, { force: true });
      await writeFile(catalog, original);
      const database = new DatabaseSync(catalog);
      database.exec(statement);
      database.close();
      const { exitCode, stdout } = await verify('--data', server.data);
      const lines = stdout.split('\n').filter((line) => line.startsWith('fault: '));
      assert.equal(exitCode, 1);
      assert.equal(lines.length, faults.length, stdout);
      for (const fault of faults)
        assert.ok(
          lines.some((line) => fault.test(line)),
          `${String(fault)} in ${stdout}`,
        );
    });
  }
});

/** Downloads everything of the server's hours, the manifests and the key, as a script would. */
async function download(t: TestContext, server: RecentServer) {
  const folder = await temporaryFolder(t);
  const packages = join(folder, 'packages');
  const { baseUrl, clock, project } = server;
  const { ai, clientId } = project;
  const token = await getToken({ ...project, baseUrl, clock, project: project.uid });
  const client = new ExportClient({ baseUrl, clientId, token, ai });
  const manifests: string[] = [];
  for (const hours of [0, 1, 2]) {
    const date = formatBeijingHour(addHours(server.hour, hours));
    const { downloadLinks } = await client.exportWholeHour({ date });
    for (const [dataType, links] of Object.entries(downloadLinks)) {
      await mkdir(join(packages, date, dataType), { recursive: true });
      for (const link of links) {
        const { pathname } = new URL(link);
        await downloadPackageToFile(link, join(packages, date, dataType, pathname.split('/').at(-1)!));
      }
    }
    const answer = await fetch(`${baseUrl}/api/v1/projects/${ai}/hours/${date}/manifest`, {
      headers: { Authorization: token },
    });
    const file = join(folder, `${date}.json`);
    await writeFile(file, await answer.text());
    manifests.push(file);
  }
  const publicKey = join(folder, 'tidegate.json');
  await writeFile(publicKey, await (await fetch(`${baseUrl}/.well-known/tidegate.json`)).text());
  return { folder, packages, manifests, publicKey };
}

test('verify of a directory of downloads', async (t) => {
  const server = await publishHours(t);
  const { folder, packages, manifests, publicKey } = await download(t, server);
  const [first = '', second = ''] = manifests;
  const files = (await readdir(packages, { recursive: true })).filter((name) => name.endsWith('.gz')).sort();
  const path = join(packages, files[0]!);
  const check = (...args: readonly string[]) => verify('--public-key', publicKey, ...args);
  const all = ['--manifest', ...manifests];

  await t.test('finds nothing wrong, without the server', async () => {
    await server.close();
    const { exitCode, stdout, stderr } = await check(...all, packages);
    assert.deepEqual([exitCode, stderr], [0, '']);
    assert.match(
      stdout,
      new RegExp(
        `^Checked 3 log entries, 3 manifests and ${files.length} packages with 120 rows in \\d+ bytes\\.\nNo fault`,
      ),
    );
  });

  await t.test('takes manifests as a list, repeated, or as a shell spreads them, and the key in PEM', async () => {
    const pem = join(folder, 'key.pem');
    const { publicKeyPem } = JSON.parse(await readFile(publicKey, 'utf8')) as { publicKeyPem: string };
    await writeFile(pem, publicKeyPem);
    const ways = [
      ['--manifest', manifests.join(','), packages],
      [...manifests.flatMap((file) => ['--manifest', file]), packages],
      ['--manifest', ...manifests, packages],
    ];
    for (const way of ways) assert.equal((await verify('--public-key', pem, ...way)).exitCode, 0, way.join(' '));
  });

  const faulty: readonly [what: string, damage: () => Promise<() => Promise<unknown>>, fault: RegExp][] = [
    ['a flipped byte', () => flipByte(path, 100), /its MD5 is .*; its SHA-256 is/],
    [
      'a missing package',
      async () => {
        await rename(path, join(folder, 'away'));
        return () => rename(join(folder, 'away'), path);
      },
      /part-\d{5}-\S+-c000\.csv\.gz is missing/,
    ],
    [
      'a manifest changed by hand',
      async () => {
        const text = await readFile(first, 'utf8');
        const changed = JSON.parse(text) as { packages: { rows: number }[] } & PublicManifest;
        changed.codec = 'none';
        await writeFile(first, JSON.stringify(changed));
        return () => writeFile(first, text);
      },
      /Entry 1 of .* published something else/,
    ],
    [
      'what is no manifest',
      async () => {
        const text = await readFile(second, 'utf8');
        await writeFile(second, '{"message":"Unauthorized","errors":[]}');
        return () => writeFile(second, text);
      },
      /\d{10}\.json: it is no manifest: the document must have required properties/,
    ],
  ];
  for (const [what, damage, fault] of faulty) {
    await t.test(`finds ${what}`, async () => {
      const restore = await damage();
      const { exitCode, stdout, stderr } = await check(...all, packages);
      await restore();
      assert.equal(exitCode, 1);
      assert.match(stderr, /^tidegate: 1 fault was found\./);
      const lines = stdout.split('\n').filter((line) => line.startsWith('fault: '));
      assert.equal(lines.length, 1, stdout);
      assert.match(lines[0]!, fault);
    });
  }

  await t.test('finds that another server has signed', async () => {
    const other = await download(t, await publishHours(t));
    const { exitCode, stdout } = await verify('--public-key', other.publicKey, ...all, packages);
    assert.equal(exitCode, 1);
    assert.equal([...stdout.matchAll(/fault: .* is not signed by this key/g)].length, 3);
  });

  await t.test('notes what no manifest lists and what is there twice, and not the manifests themselves', async () => {
    await writeFile(join(packages, 'notes.txt'), 'mine');
    await copyFile(path, join(packages, files[0]!.split('/').at(-1)!));
    await copyFile(first, join(packages, 'manifest.json'));
    const { exitCode, stdout } = await check(
      '--manifest',
      join(packages, 'manifest.json'),
      ...manifests.slice(1),
      packages,
    );
    assert.equal(exitCode, 0, stdout);
    const notes = stdout.split('\n').filter((line) => line.startsWith('note: '));
    assert.equal(notes.length, 2, stdout);
    assert.match(notes.join('\n'), /notes\.txt is in none of the manifests/);
    assert.match(notes.join('\n'), /is there 2 times/);
  });

  await t.test('says with 2 what is missing or cannot be read', async () => {
    const cases: readonly [args: readonly string[], why: RegExp][] = [
      [['--manifest', first, packages], /--public-key FILE is missing/],
      [['--public-key', publicKey, '--manifest', first], /Name the directory of downloads/],
      [['--public-key', publicKey, packages], /name its manifests/],
      [['--public-key', publicKey, '--manifest', `${first}x`, packages], /--manifest: .* cannot be read/],
      [['--public-key', first, '--manifest', first, packages], /holds no Ed25519 public key/],
      [['--public-key', publicKey, '--manifest', first, `${packages}x`], /is no directory/],
    ];
    for (const [args, why] of cases) {
      const { exitCode, stderr } = await verify(...args);
      assert.equal(exitCode, 2, args.join(' '));
      assert.match(stderr, why);
    }
  });
});
