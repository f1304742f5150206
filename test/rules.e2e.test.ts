/** Tagging rules from the command line to the packages: what they tag, when, and how often. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { cpuMs } from './helpers/cpu-time.ts';
import { getToken } from '../src/client/export-client.ts';
import { addHours, HOUR_MS, hourOf } from '../src/events/hour.ts';
import { HOUR_START_MS } from './helpers/event-rows.ts';
import { exportRows, type TableRow, type Tables } from './helpers/export-rows.ts';
import { assertRefused, send, sendEvents } from './helpers/send-events.ts';
import { newDataDirectory, startServerProcess } from './helpers/server-process.ts';
import { temporaryFolder } from './helpers/temporary-folder.ts';
import { startTestServer, TEST_PROJECT, type TestServer } from './helpers/test-server.ts';
import { runTidegate, type CommandResult } from './helpers/tidegate-command.ts';

const HOUR = hourOf(HOUR_START_MS);
const AI = TEST_PROJECT.ai;
const PATH = `/v3/${AI}/web/other`;
const TM = 1_795_472_990_000;

const click = (u: string, e: readonly object[], more: object = {}): object => ({
  t: 'clck',
  u,
  s: 'session',
  d: 'shop.example.test',
  p: '/prod/1',
  q: 'cid=7&k=v',
  tm: TM,
  ptm: TM,
  e,
  ...more,
});

/** Makes a rule as an operator does, and gives its id. */
async function addRule(data: string, ...options: readonly string[]): Promise<string> {
  const added = await runTidegate('rule', 'add', '--data', data, '--ai', AI, '--json', ...options);
  assert.equal(added.exitCode, 0, added.stderr);
  return (JSON.parse(added.stdout) as { ruleId: string }).ruleId;
}

/** Gives the tags of the actions of a visitor, each as its action's value and the rule's id. */
function tagsOf({ action, action_tag: tags }: Tables, u: string): readonly string[] {
  const actions = action.filter(({ visitUserId }) => visitUserId === u);
  return actions
    .flatMap(({ actionRequestId, requestValue, sendTime }) =>
      tags
        .filter((tag) => tag.actionRequestId === actionRequestId)
        .map((tag) => {
          assert.equal(tag.sendTime, sendTime, 'a tag has the send time of its action');
          return `${requestValue} ${tag.ruleId}`;
        }),
    )
    .sort();
}

test('rules tag the actions that arrive after they were made', async (t) => {
  const server = await startTestServer(t);
  const { data } = server;
  await sendEvents(server, PATH, [click('before', [{ x: '/a', v: 'buy' }])]);
  const all = await addRule(data, '--name', 'every click', '--type', 'clck');
  const path = await addRule(data, '--name', '商品页', '--type', 'clck', '--path', '/prod/*', '--query', 'k=v');
  const second = await addRule(data, '--name', 'second', '--type', 'clck', '--xpath', '/ul/*/a', '--index', '2');
  const change = await addRule(data, '--name', 'a change', '--type', 'chng', '--domain', 'shop.example.test');
  await addRule(data, '--name', 'the page', '--type', 'page', '--path', '/prod/*');

  const list = [
    { x: '/ul/li/a', v: 'one', idx: 1 },
    { x: '/ul/li/a', v: 'two', idx: '2' },
  ];
  await sendEvents(server, PATH, [
    click('list', list),
    click('cart', [{ x: '/a', v: 'go', h: '/next' }], { p: '/cart' }),
  ]);
  await sendEvents(server, `/v3/${AI}/android/other`, [click('changes', [{ x: '/input', v: 'x' }], { t: 'chng' })]);
  await sendEvents(server, PATH, [click('twice', list)]);
  await sendEvents(server, PATH, [click('twice', list)]);
  await runTidegate(
    'rule',
    'set',
    '--data',
    data,
    '--ai',
    AI,
    '--rule',
    second,
    '--clear',
    'xpath,index',
    '--value',
    'three',
  );
  await sendEvents(server, PATH, [click('set', [...list, { x: '/b', v: 'three' }])]);
  await runTidegate('rule', 'remove', '--data', data, '--ai', AI, '--rule', all);
  await sendEvents(server, PATH, [click('removed', list)]);
  const tables = await exportRows(server, HOUR);

  await t.test('and none that came before', () => assert.deepEqual(tagsOf(tables, 'before'), []));
  await t.test('by type, path, query, xpath and index', () => {
    const expected = [`one ${all}`, `one ${path}`, `two ${all}`, `two ${path}`, `two ${second}`];
    assert.deepEqual(tagsOf(tables, 'list'), expected.sort());
    assert.deepEqual(tagsOf(tables, 'cart'), [`go ${all}`]);
    assert.deepEqual(tagsOf(tables, 'changes'), [`x ${change}`]);
  });
  await t.test('once, however often the action was sent', () => {
    assert.equal(tagsOf(tables, 'twice').length, 5);
  });
  await t.test('as they are at that moment', () => {
    assert.deepEqual(
      tagsOf(tables, 'set'),
      [
        `one ${all}`,
        `one ${path}`,
        `three ${all}`,
        `three ${path}`,
        `three ${second}`,
        `two ${all}`,
        `two ${path}`,
      ].sort(),
    );
    assert.deepEqual(tagsOf(tables, 'removed'), [`one ${path}`, `two ${path}`].sort());
  });
  await t.test('and every tag has its action in the same hour', () => {
    const actions = new Set(tables.action.map(({ actionRequestId }) => actionRequestId));
    assert.ok(tables.action_tag.every(({ actionRequestId }) => actions.has(actionRequestId)));
  });
  await t.test('and balance in the ledger, where tags have a line among the rows only', async () => {
    const { rows, events } = await ledgerOf(server);
    assert.deepEqual(rows.action_tag, { made: 26, exported: 21, duplicates: 5 });
    assert.equal(events.action_tag, undefined);
    assert.equal(rows.action_tag.exported, tables.action_tag.length);
  });
  await t.test('and are listed with their names for clients of the original', async () => {
    const response = await send(server, {
      method: 'GET',
      path: `/projects/${TEST_PROJECT.uid}/rules.csv`,
      headers: await authorization(server),
    });
    assert.equal(response.status, 200);
    const lines = response.text
      .trimEnd()
      .split('\n')
      .map((line) => line.split('\t'));
    assert.deepEqual(lines[0], ['ruleId', 'eventName', 'eventType']);
    assert.deepEqual(lines[1], [path, '商品页', 'clck']);
    assert.equal(lines.at(-1)![2], 'page');
  });
});

async function authorization({ baseUrl, clock }: TestServer): Promise<Readonly<Record<string, string>>> {
  const { ai, uid, clientId, secret } = TEST_PROJECT;
  return {
    Authorization: await getToken({ baseUrl, clientId, secret, project: uid, ai, clock }),
    'X-Client-Id': clientId,
  };
}

type LedgerOfHour = {
  readonly rows: {
    readonly action_tag: { readonly made: number; readonly exported: number; readonly duplicates: number };
  };
  readonly events: Readonly<Record<string, unknown>>;
};

async function ledgerOf({ data }: TestServer): Promise<LedgerOfHour> {
  const shown = await runTidegate('ledger', '--data', data, '--ai', AI, '--hour', '2026112312', '--json');
  return (JSON.parse(shown.stdout) as { ledger: LedgerOfHour }).ledger;
}

test('the tags of an action that is sent again across the end of its hour are not exported again', async (t) => {
  const server = await startTestServer(t);
  const ruleId = await addRule(server.data, '--name', 'buy', '--type', 'clck', '--xpath', '/a');
  server.clock.set(HOUR_START_MS + 55 * 60_000);
  await sendEvents(server, PATH, [click('late', [{ x: '/a', v: 'buy' }])]);
  const first = await exportRows(server, HOUR);
  server.clock.set(HOUR_START_MS + HOUR_MS + 60_000);
  await sendEvents(server, PATH, [click('late', [{ x: '/a', v: 'buy' }]), click('new', [{ x: '/a', v: 'buy' }])]);
  const second = await exportRows(server, addHours(HOUR, 1));
  assert.deepEqual(tagsOf(first, 'late'), [`buy ${ruleId}`]);
  assert.equal(second.action_tag.length, 1);
  assert.deepEqual(tagsOf(second, 'new'), [`buy ${ruleId}`]);
});

test('a request whose actions would take a minute to be tried is refused, however its events are written', async (t) => {
  const server = await startTestServer(t, { maxBodyBytes: 64 * 1024 * 1024 }); // SDKs send as much in 3 MB, compressed
  const file = join(server.data, '..', 'rules.csv');
  const rules = Array.from({ length: 99 }, (_, place) => `rule ${place},clck,*${'z'.repeat(20)}${place}*\n`);
  await writeFile(file, `name,type,xpath\n${rules.join('')}`);
  const imported = await runTidegate('rule', 'import', '--data', server.data, '--ai', AI, file);
  assert.equal(imported.exitCode, 0, imported.stderr);
  const hostile = Array.from({ length: 3_000 }, () => ({ x: 'z'.repeat(5_000) }));
  const events = Array.from({ length: 30 }, (_, place) =>
    click(`u${place}`, hostile.slice(place * 100, (place + 1) * 100)),
  );
  const post = (elements: readonly object[]) => send(server, { path: PATH, body: JSON.stringify(elements) });
  for (const odd of [{}, { p: ['/odd'] }]) {
    const startedMs = cpuMs();
    assertRefused(await post(events.map((event) => ({ ...event, ...odd }))), 413, 'too_large');
    const tookMs = cpuMs() - startedMs;
    assert.ok(tookMs < 10_000, `it took ${Math.round(tookMs)} ms`);
  }
  const usual = Array.from({ length: 500 }, (_, place) =>
    click(`v${place}`, [{ x: `/html/body/div[${place}]/a`.repeat(4) }]),
  );
  assert.equal((await post(usual)).status, 200);
  const { action, action_tag: tags } = await exportRows(server, HOUR);
  assert.deepEqual([action.length, tags.length], [500, 0]);
});

test('a rule is in force in every collector process when the command that made it has returned', async (t) => {
  const data = await newDataDirectory(t);
  const server = await startServerProcess(t, { data, nowMs: HOUR_START_MS + 600_000, changes: { collectors: 2 } });
  const post = async (u: string): Promise<void> => {
    // A connection of its own for each request, so that both processes get some.
    const body = JSON.stringify([click(u, [{ x: '/a' }])]);
    const response = await fetch(server.baseUrl + PATH, { method: 'POST', body, headers: { Connection: 'close' } });
    assert.equal(response.status, 200);
  };
  const names = (word: string): readonly string[] => Array.from({ length: 30 }, (_, place) => `${word}-${place}`);
  for (const name of names('before')) await post(name);
  await addRule(data, '--name', 'buy', '--type', 'clck', '--xpath', '/a');
  for (const name of names('after')) await post(name);
  const { action, action_tag: tags } = await exportRows(
    { ...server, project: TEST_PROJECT } as unknown as TestServer,
    HOUR,
  );
  const tagged = action.filter((row) => tags.some((tag) => tag.actionRequestId === row.actionRequestId));
  assert.deepEqual(new Set(tagged.map((row: TableRow) => row.visitUserId)), new Set(names('after')));
  assert.equal(tags.length, 30);
});

test('tidegate rule', async (t) => {
  const data = await dataWithProject(t);
  const run = (...words: readonly string[]): Promise<CommandResult> =>
    runTidegate('rule', words[0]!, '--data', data, '--ai', AI, ...words.slice(1));
  await t.test('prints a rule that was made, and lists it', async () => {
    const added = await run('add', '--name', 'Buy', '--type', 'clck', '--path', '/a/*');
    const [, ruleId] = /^ruleId\s+([0-9a-f]{8})$/m.exec(added.stdout)!;
    assert.equal((await run('list')).stdout, `${ruleId}  clck  Buy  path="/a/*"\n`);
    assert.deepEqual(JSON.parse((await run('list', '--json')).stdout), [
      { ruleId, name: 'Buy', type: 'clck', path: '/a/*' },
    ]);
  });
  await t.test('refuses a rule that cannot be taken, and says why', async () => {
    const slow = await run('add', '--name', 'slow', '--type', 'clck', '--xpath', '*a'.repeat(30));
    assert.deepEqual([slow.exitCode, slow.stdout], [1, '']);
    assert.match(
      slow.stderr,
      /its xpath has more than 10 \*, and would be slow to look for\. Correct what the message names/,
    );
    assert.equal((await run('add', '--name', 'x', '--type', 'imp')).exitCode, 2);
    assert.match((await run('add', '--name', 'a\tb', '--type', 'clck')).stderr, /holds a tab/);
    assert.match((await run('set', '--rule', '0000000a')).stderr, /has no rule 0000000a/);
    assert.match((await run('remove', '--rule', '0000000a')).stderr, /has no rule 0000000a/);
    assert.match((await run('set', '--rule', '0000000a', '--clear', 'name')).stderr, /has no rule|none of domain/);
    const nobody = await runTidegate('rule', 'list', '--data', data, '--ai', 'nobody');
    assert.match(nobody.stderr, /There is no project nobody/);
  });
  await t.test('imports a file of rules, all or none', async () => {
    const file = join(data, '..', 'rules.csv');
    await writeFile(file, 'eventName,eventType\nBuy,clck\n');
    const wrong = await run('import', file);
    assert.equal(wrong.exitCode, 1);
    assert.match(wrong.stderr, /Line 1: the header must be ruleId,name,type,domain,path,query,xpath,index,value,href/);
    await writeFile(file, 'ruleId,name,type,xpath\n0000000a,Buy,clck,/a\n0000000b,No,imp,\n');
    assert.match((await run('import', file)).stderr, /Line 3: The rule cannot be taken: its type/);
    assert.doesNotMatch((await run('list')).stdout, /0000000a/);
    await writeFile(file, 'ruleId,name,type,xpath\n0000000a,Buy,clck,/a\n0000000b,Yes,sbmt,\n');
    assert.equal((await run('import', file)).stdout, 'Imported 2 rules.\n');
    assert.equal((await run('import', file)).stdout, 'Imported 2 rules.\n');
    assert.equal((JSON.parse((await run('list', '--json')).stdout) as unknown[]).length, 3);
    assert.match((await run('import', `${file}.gone`)).stderr, /There is no file/);
  });
});

async function dataWithProject(t: TestContext): Promise<string> {
  const data = join(await temporaryFolder(t), 'data');
  await runTidegate('project', 'create', '--data', data, '--name', 'shop', '--ai', AI);
  return data;
}
