/** `tidegate rule backfill` beside a running server: past hours get the tags of rules made after them. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { downloadPackage, ExportClient, getToken } from '../src/client/export-client.ts';
import type { DataType } from '../src/events/data-types.ts';
import { addHours, formatBeijingHour, hourStartMs, type Hour } from '../src/events/hour.ts';
import { readRun } from '../src/store/hour-log/run-reader.ts';
import { exportRows, type Tables } from './helpers/export-rows.ts';
import { startRecentServer, type RecentServer } from './helpers/recent-server.ts';
import { flipByte, hourFiles } from './helpers/run-files.ts';
import { sendEvents } from './helpers/send-events.ts';
import { TEST_PROJECT } from './helpers/test-server.ts';
import { runTidegate, type CommandResult } from './helpers/tidegate-command.ts';

const AI = TEST_PROJECT.ai;
const PATH = `/v3/${AI}/web/other`;
const TM = 1_795_472_990_000;
const buy = { x: '/a#buy', v: '买 "it", now', h: '/next', idx: 2 };
const click = (u: string, e: readonly object[] = [buy]): object => ({
  t: 'clck',
  u,
  s: 's',
  d: 'shop.example.test',
  p: '/prod,1',
  q: 'cid=7',
  tm: TM,
  e,
});

const rule = (server: RecentServer, word: string, ...options: readonly string[]): Promise<CommandResult> =>
  runTidegate('rule', word, '--data', server.data, '--ai', AI, ...options);

async function addRule(server: RecentServer, ...options: readonly string[]): Promise<string> {
  const added = await rule(server, 'add', '--name', 'a rule', '--type', 'clck', '--json', ...options);
  assert.equal(added.exitCode, 0, added.stderr);
  return (JSON.parse(added.stdout) as { ruleId: string }).ruleId;
}

type Summary = { readonly tags: number; readonly hours: readonly string[]; readonly failed: readonly string[] };

async function backfill(server: RecentServer, ...options: readonly string[]): Promise<Summary> {
  const done = await rule(server, 'backfill', '--json', '--log-level', 'warn', ...options);
  assert.equal(done.exitCode, 0, done.stderr);
  return JSON.parse(done.stdout) as Summary;
}

type Shown = {
  readonly revision: number;
  readonly ledger: { readonly rows: Readonly<Record<string, { made: number; exported: number; duplicates: number }>> };
};

async function ledgerOf({ data }: RecentServer, hour: Hour): Promise<Shown> {
  const shown = await runTidegate('ledger', '--data', data, '--ai', AI, '--hour', formatBeijingHour(hour), '--json');
  assert.equal(shown.exitCode, 0, shown.stderr);
  return JSON.parse(shown.stdout) as Shown;
}

/** Says which visitors' actions have which tags. */
function tagsOf({ action, action_tag: tags }: Tables): readonly string[] {
  return tags
    .map(({ actionRequestId, ruleId, sendTime }) => {
      const of = action.find((row) => row.actionRequestId === actionRequestId);
      assert.equal(of?.sendTime, sendTime, 'a tag has an action in its hour, and the send time of it');
      return `${of?.visitUserId} ${ruleId}`;
    })
    .sort();
}

test('a back-fill of tags', async (t) => {
  const server = await startRecentServer(t);
  const { hour, clock } = server;
  const next = addHours(hour, 1);
  const early = await addRule(server, '--value', 'early');
  await sendEvents(server, PATH, [click('a', [buy, { x: '/b' }]), click('e', [{ ...buy, v: 'early' }])]);
  await sendEvents(server, PATH, [click('a', [buy, { x: '/b' }])]);
  clock.set(hourStartMs(hour) + 55 * 60_000);
  await sendEvents(server, PATH, [click('late')]);
  server.endHour(hour);
  clock.set(hourStartMs(next) + 60_000);
  await sendEvents(server, PATH, [click('late'), click('b')]);
  assert.deepEqual(tagsOf(await exportRows(server, hour)), [`e ${early}`]);
  assert.deepEqual(tagsOf(await exportRows(server, next)), []);
  server.catchUp();
  const oldLinks = await linksOf(server, hour);
  const exact = ['--domain', 'shop.example.test', '--path', '/prod*1', '--query', 'cid=7'];
  const late = await addRule(server, ...exact, '--xpath', '/a#buy', '--href', '/next', '--index', '2');

  await t.test(
    'tags the exported actions of every hour that is kept, once, and adds nothing that is there',
    async () => {
      const first = formatBeijingHour(hour);
      assert.deepEqual(await backfill(server), {
        tags: 4,
        hours: [first, formatBeijingHour(next)],
        failed: [],
      });
      assert.deepEqual(
        tagsOf(await exportRows(server, hour)),
        [`a ${late}`, `e ${early}`, `e ${late}`, `late ${late}`].sort(),
      );
      assert.deepEqual(tagsOf(await exportRows(server, next)), [`b ${late}`]);
    },
  );
  await t.test('is a new revision that balances', async () => {
    const { revision, ledger } = await ledgerOf(server, hour);
    assert.equal(revision, 2);
    assert.deepEqual(ledger.rows.action_tag, { made: 4, exported: 4, duplicates: 0 });
    assert.deepEqual(ledger.rows.action, { made: 6, exported: 4, duplicates: 2 });
    const verified = await runTidegate('verify', '--data', server.data);
    assert.equal(verified.exitCode, 0, verified.stderr + verified.stdout);
  });
  await t.test('leaves the links of the revision before alone', async () => {
    for (const link of oldLinks) assert.ok((await downloadPackage(link)).length > 0);
  });
  await t.test('publishes nothing when it is done again', async () => {
    assert.deepEqual(await backfill(server), { tags: 0, hours: [], failed: [] });
    assert.match((await rule(server, 'backfill')).stdout, /There is no tag to add/);
    assert.equal((await ledgerOf(server, hour)).revision, 2);
  });
  await t.test('is of one rule and of some hours when told so', async () => {
    const one = await addRule(server, '--xpath', '/b');
    const other = await addRule(server, '--xpath', '*');
    const range = ['--from-hour', formatBeijingHour(next), '--until-hour', formatBeijingHour(addHours(next, 1))];
    assert.equal((await backfill(server, '--rule', one, ...range)).tags, 0);
    assert.deepEqual(await backfill(server, '--rule', other, ...range), {
      tags: 1,
      hours: [formatBeijingHour(next)],
      failed: [],
    });
    assert.deepEqual(await backfill(server, '--rule', one), {
      tags: 1,
      hours: [formatBeijingHour(hour)],
      failed: [],
    });
  });
  await t.test('refuses hours that are not there, and rules that the project has not', async () => {
    const refusals: readonly [options: readonly string[], why: RegExp][] = [
      [['--rule', '0000000a'], /has no rule 0000000a/],
      [['--from-hour', '2018070100'], /Hour 2018070100 \(Beijing time\) is not kept; the first that is, is/],
      [['--until-hour', '2999010100'], /has not ended yet/],
      [['--from-hour', '2999010100'], /Hour 2999010100 \(Beijing time\) has not ended yet/],
      [
        ['--from-hour', formatBeijingHour(next), '--until-hour', formatBeijingHour(next)],
        /must be later than --from-hour/,
      ],
      [['--from-hour', 'x'], /--from-hour: "x" is no hour/],
    ];
    for (const [options, why] of refusals) {
      const refused = await rule(server, 'backfill', ...options);
      assert.notEqual(refused.exitCode, 0);
      assert.match(refused.stderr, why);
    }
  });
});

test('a back-fill tags what was imported', async (t) => {
  const server = await startRecentServer(t);
  const { hour } = server;
  server.endHour(hour);
  await exportRows(server, hour);
  server.catchUp();
  const file = join(server.data, '..', 'past.ndjson');
  const line = { sendTime: hourStartMs(hour) + 5, platform: 'web', ...click('imported') };
  await writeFile(file, `${JSON.stringify(line)}\n`);
  const imported = await runTidegate('import', '--data', server.data, '--ai', AI, '--log-level', 'warn', file);
  assert.equal(imported.exitCode, 0, imported.stderr);
  const ruleId = await addRule(server, '--xpath', '/a*');
  assert.equal((await backfill(server)).tags, 1);
  assert.deepEqual(tagsOf(await exportRows(server, hour)), [`imported ${ruleId}`]);
  assert.equal((await ledgerOf(server, hour)).revision, 3);
});

test('a back-fill leaves an hour that is damaged as it is, does the others, and says which is which', async (t) => {
  const server = await startRecentServer(t);
  const { hour, clock } = server;
  const hours = [0, 1, 2, 3].map((later) => addHours(hour, later));
  for (const one of hours) {
    clock.set(hourStartMs(one) + 60_000);
    const page = { t: 'page', u: 'p', s: 's', d: 'shop.example.test', p: '/', tm: TM };
    await sendEvents(server, PATH, [click(`of ${formatBeijingHour(one)}`), page]);
    server.endHour(one);
    await exportRows(server, one);
  }
  server.catchUp();
  const ruleId = await addRule(server, '--xpath', '/a*');
  const names = hours.map(formatBeijingHour);
  const ofActions = await damageRun(server, hours[0]!, 'action');
  const ofPages = await damageRun(server, hours[2]!, 'page');

  const done = await rule(server, 'backfill', '--json', '--log-level', 'silent');
  assert.deepEqual([done.exitCode, done.stdout.slice(0, 1)], [1, '{'], done.stderr);
  assert.deepEqual(JSON.parse(done.stdout), { tags: 2, hours: [names[1], names[3]], failed: [names[0], names[2]] });
  assert.match(
    done.stderr,
    new RegExp(`Hours ${names[0]}, ${names[2]} \\(Beijing time\\) could not be read and got no tags`),
  );
  for (const [place, one] of hours.entries()) {
    const isTagged = place % 2 === 1;
    assert.equal((await ledgerOf(server, one)).revision, isTagged ? 2 : 1, `hour ${names[place]} is FINISHED`);
    const tags = isTagged ? [`of ${names[place]} ${ruleId}`] : [];
    assert.deepEqual(tagsOf(await exportRows(server, one)), tags);
  }
  await ofActions();
  await ofPages();
  assert.deepEqual(await backfill(server), { tags: 2, hours: [names[0], names[2]], failed: [] });
});

/** Damages the first record of this type in an hour; gives what puts it right again. */
async function damageRun({ data }: RecentServer, hour: Hour, kind: DataType): Promise<() => Promise<void>> {
  for (const path of await hourFiles(data, hour, '.run')) {
    const group = readRun(path).index.groups.find((one) => one.kind === kind && one.part === 'rows');
    if (group) return flipByte(path, group.offset + group.bytes - 5);
  }
  throw new Error(`The hour holds no ${kind}.`);
}

async function linksOf({ baseUrl, clock }: RecentServer, hour: Hour): Promise<readonly string[]> {
  const { ai, uid, clientId, secret } = TEST_PROJECT;
  const token = await getToken({ baseUrl, clientId, secret, project: uid, ai, clock });
  const client = new ExportClient({ baseUrl, clientId, token, ai });
  const { downloadLinks } = await client.exportWholeHour({ date: formatBeijingHour(hour), expireMinutes: 60 });
  const links = Object.values(downloadLinks).flat();
  assert.ok(links.length > 0);
  return links;
}
