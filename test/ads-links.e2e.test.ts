/** Tracking links from the making to the exported click: command line, API, hits, refusals. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it, test } from 'node:test';
import { DatabaseSync } from 'node:sqlite';
import { getToken } from '../src/client/export-client.ts';
import { hourOf } from '../src/events/hour.ts';
import { HOUR_START_MS } from './helpers/event-rows.ts';
import { assertRow, exportRows, onlyRow } from './helpers/export-rows.ts';
import { readMetrics } from './helpers/read-metrics.ts';
import { assertRefused, send, type Answer } from './helpers/send-events.ts';
import { addLink, readExtras } from './helpers/tracking-links.ts';
import { startTestServer, TEST_PROJECT, type TestServer } from './helpers/test-server.ts';
import { runTidegate } from './helpers/tidegate-command.ts';

const HOUR = hourOf(HOUR_START_MS);
const TARGET = 'https://shop.example.com/app?x=1#top';
const IPHONE =
  'Mozilla/5.0 (iPhone; CPU iPhone OS 17_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148';

/** Those members of the API's answers that the test reads by name. */
type Answered = { readonly id: string; readonly linkId: string; readonly code?: string };

const hit = (server: TestServer, path: string, method = 'GET', headers = {}): Promise<Answer> =>
  send(server, { path, method, headers });

function assertSentOn(answer: Answer, target = TARGET): void {
  assert.equal(answer.status, 302, answer.text);
  assert.equal(answer.headers.location, target);
  assert.equal(answer.headers['cache-control'], 'no-store');
  assert.equal(answer.text, '');
}

describe('a hit on a tracking link', () => {
  it('is a row of its own with what the link and the query say', async (t) => {
    const server = await startTestServer(t);
    const link = await addLink(server, 'Link', [
      ...['--target', TARGET, '--campaign', '双十一', '--channel', '今日头条'],
      ...['--variable', 'city=beijing', '--variable', 'area='],
    ]);
    const ids =
      'IDFA=AEBE52E7-03EE-455A-B3C4-E57283966239&Imei=867530912345678&androidID=2cab90e2a3b489ed&UUID=uuid-1&oaId=oaid-1';
    const path = `/l/${link.linkId}?${ids}&AREA=%E5%8C%97&other=x&imei=second`;
    assertSentOn(await hit(server, path, 'GET', { 'User-Agent': IPHONE }));
    assertSentOn(await hit(server, path, 'GET', { 'User-Agent': IPHONE }));
    assertSentOn(await hit(server, `/l/${link.linkId}`));
    const { ads_track_click: clicks, ...others } = await exportRows(server, HOUR);
    assert.equal(clicks.length, 3, 'equal hits are clicks of their own');
    assert.deepEqual(Object.values(others).flat(), []);
    const ofLink = {
      linkId: link.linkId,
      campaignId: link.campaignId,
      channelId: link.channelId,
      linkName: 'Link',
      campaignName: '双十一',
      channelName: '今日头条',
    };
    for (const row of clicks.filter(({ idfa }) => idfa !== null)) {
      assertRow(row, 'ads_track_click', {
        idfa: 'AEBE52E7-03EE-455A-B3C4-E57283966239',
        imei: '867530912345678',
        uuid: 'uuid-1',
        androidId: '2cab90e2a3b489ed',
        ip: '127.0.0.1',
        userAgent: IPHONE,
        platform: 'iOS',
        operatingSystemVersion: 'iOS 17.1',
        eventTime: String(HOUR_START_MS + 600_000),
        ...ofLink,
        adsVariable: '{"city":"beijing","area":"北"}',
      });
    }
    const bare = { ip: '127.0.0.1', eventTime: String(HOUR_START_MS + 600_000), ...ofLink };
    assertRow(onlyRow(clicks, { idfa: null }), 'ads_track_click', { ...bare, adsVariable: '{"city":"beijing"}' });
    const extras = readExtras(server.data, HOUR, 'ads_track_click').filter(({ oaid }) => oaid !== undefined);
    assert.deepEqual(extras, Array(2).fill({ url: `http://127.0.0.1:${server.port}${path}`, oaid: 'oaid-1' }));
    const ledger = await runTidegate(
      'ledger',
      '--data',
      server.data,
      '--ai',
      TEST_PROJECT.ai,
      '--hour',
      '2026112312',
      '--json',
    );
    assert.deepEqual(JSON.parse(ledger.stdout).ledger, {
      events: { ads_track_click: { received: 3, accepted: 3, rejected: 0, ignored: 0 } },
      rows: { ads_track_click: { made: 3, exported: 3, duplicates: 0 } },
      imported: 0,
    });
  });

  it('has a variable of any name from the query, the first that is not empty', async (t) => {
    const server = await startTestServer(t);
    const variables = ['--variable', 'constructor=own', '--variable', 'toString=own', '--variable', 'city='];
    const { linkId } = await addLink(server, 'Link', ['--target', TARGET, ...variables]);
    assertSentOn(await hit(server, `/l/${linkId}?Constructor=&constructor=first&CONSTRUCTOR=second&__proto__=x`));
    const [click] = (await exportRows(server, HOUR)).ads_track_click;
    assert.equal(click?.adsVariable, '{"constructor":"first","toString":"own"}');
  });

  it('leads nowhere but to the stored target, whatever the request says', async (t) => {
    const server = await startTestServer(t);
    const { linkId } = await addLink(server, 'Link', ['--target', TARGET, '--variable', 'url=x']);
    for (const query of [
      ...[
        'url=https://evil.example',
        'redirect=https://evil.example',
        'redirectUrl=//evil.example',
        'target=javascript:1',
      ],
      ...[
        'next=%0d%0aLocation:%20https://evil.example',
        '//evil.example',
        '@evil.example',
        '#https://evil.example',
        '%',
      ],
    ])
      assertSentOn(await hit(server, `/l/${linkId}?${query}`));
    const headers = { Host: 'evil.example', 'X-Forwarded-Host': 'evil.example', Referer: 'https://evil.example' };
    assertSentOn(await hit(server, `/l/${linkId}`, 'GET', headers));
    for (const path of [
      `/l/${linkId}/evil.example`,
      `/l/${linkId}%2f..`,
      `/l//${linkId}`,
      `/l/${linkId}@evil.example`,
    ]) {
      const answer = await hit(server, path);
      assert.equal(answer.status, 404, path);
      assert.equal(answer.headers.location, undefined);
    }
  });

  it('by HEAD is answered alike and stores nothing', async (t) => {
    const server = await startTestServer(t);
    const { linkId } = await addLink(server, 'Link', ['--target', TARGET]);
    assertSentOn(await hit(server, `/l/${linkId}?imei=867530912345678`, 'HEAD'));
    assert.deepEqual((await exportRows(server, HOUR)).ads_track_click, []);
  });

  it('is refused by any other method, and on a link that is unknown or removed', async (t) => {
    const server = await startTestServer(t);
    const { linkId } = await addLink(server, 'Link', ['--target', TARGET]);
    const posted = await hit(server, `/l/${linkId}`, 'POST');
    assertRefused(posted, 405, 'method_not_allowed');
    assert.equal(posted.headers.allow, 'GET, HEAD');
    for (const other of ['zzzzzzzz', linkId.toLowerCase() + 'x', 'a', '0'.repeat(64)])
      assertRefused(await hit(server, `/l/${other}`), 404, 'unknown_link');
    const removed = await runTidegate(
      'link',
      'remove',
      '--data',
      server.data,
      '--ai',
      TEST_PROJECT.ai,
      '--link',
      linkId,
    );
    assert.equal(removed.exitCode, 0, removed.stderr);
    assertRefused(await hit(server, `/l/${linkId}`), 404, 'unknown_link');
    assert.equal((await hit(server, `/l/${linkId}`, 'HEAD')).status, 404);
    assert.deepEqual((await exportRows(server, HOUR)).ads_track_click, []);
  });

  it('counts for the limit of what its project may send, and leaves other links alone', async (t) => {
    const server = await startTestServer(t, { ingestLimitBytesPerSecond: 300 });
    const { linkId } = await addLink(server, 'Link', ['--target', TARGET]);
    const path = `/l/${linkId}?imei=867530912345678`;
    const answers: Answer[] = [];
    for (let hits = 0; hits < 4; hits += 1) answers.push(await hit(server, path));
    assert.deepEqual(
      answers.map(({ status }) => status),
      [302, 302, 302, 429],
    );
    assert.ok(Number(answers.at(-1)?.headers['retry-after']) >= 1);
    const full = await send(server, { path: `/v3/${TEST_PROJECT.ai}/web/pv`, body: '[]' });
    assert.equal(full.status, 429, 'events and clicks share the limit');
    server.clock.set(server.clock.nowMs() + 10_000);
    assertSentOn(await hit(server, path));
    assert.deepEqual(await readMetrics(server, /^tidegate_collector_events_total$/), [
      'tidegate_collector_events_total{line="ads_track_click",outcome="received"} 4',
    ]);
  });

  it('keeps the raw ids out of the click index', async (t) => {
    const server = await startTestServer(t);
    const { linkId } = await addLink(server, 'Link', ['--target', TARGET]);
    await hit(server, `/l/${linkId}?imei=867530912345678`);
    using database = new DatabaseSync(join(server.data, 'ads.sqlite'), { readOnly: true });
    const table = database.prepare(`SELECT name FROM sqlite_master WHERE name GLOB 'click_*'`).get()?.name;
    const rows = database.prepare(`SELECT hex(key) AS key, time_ms, link_id, variables FROM ${String(table)}`).all();
    assert.equal(rows.length, 1, 'there is no user agent, so the IMEI alone finds it');
    assert.match(
      JSON.stringify(rows),
      /^\[\{"key":"[0-9A-F]{24}","time_ms":1795407000000,"link_id":"\w{8}","variables":null\}\]$/,
    );
  });
});

describe('tidegate link', () => {
  it('makes, lists and removes links; a campaign of the same name is the same', async (t) => {
    const server = await startTestServer(t);
    const first = await addLink(server, 'one', [
      '--target',
      TARGET,
      '--campaign',
      'C',
      '--public-url',
      'https://t.example.com/',
    ]);
    assert.match(first.linkId, /^[0-9A-Za-z]{8}$/);
    assert.equal(first.trackingUrl, `https://t.example.com/l/${first.linkId}`);
    const second = await addLink(server, 'two', [
      '--target',
      'shopapp://x',
      '--link-schemes',
      'shopapp',
      '--campaign',
      'C',
    ]);
    assert.equal(second.campaignId, first.campaignId);
    assertSentOn(await hit(server, `/l/${second.linkId}`), 'shopapp://x');
    const of = ['--data', server.data, '--ai', TEST_PROJECT.ai];
    const listed = await runTidegate('link', 'list', ...of, '--json');
    assert.deepEqual((JSON.parse(listed.stdout) as { name: string }[]).map(({ name }) => name).sort(), ['one', 'two']);
    assert.equal((await runTidegate('link', 'remove', ...of, '--link', first.linkId)).exitCode, 0);
    assert.match(
      (await runTidegate('link', 'list', ...of)).stdout,
      new RegExp(`^${second.linkId}  two  shopapp://x\\n$`),
    );
    const again = await addLink(server, 'one', ['--target', TARGET]);
    assert.notEqual(again.linkId, first.linkId, 'a name that is free again gets a link of its own');
  });

  it('says what is wrong with a name, a target, a variable or an id', async (t) => {
    const server = await startTestServer(t);
    await addLink(server, 'taken', ['--target', TARGET]);
    const of = ['--data', server.data, '--ai', TEST_PROJECT.ai];
    const cases: readonly [words: readonly string[], exitCode: number, said: RegExp][] = [
      [['--name', 'a b', '--target', TARGET], 1, /name of the link may hold only/],
      [['--name', '<script>', '--target', TARGET], 1, /name of the link may hold only/],
      [['--name', '字'.repeat(51), '--target', TARGET], 1, /51 characters; at most 50/],
      [['--name', 'taken', '--target', TARGET], 1, /There is a link with the name taken already/],
      [['--name', 'x', '--target', TARGET, '--campaign', 'a.b'], 1, /name of the campaign may hold only/],
      [['--name', 'x', '--target', 'javascript:alert(1)'], 1, /may not lead to javascript:/],
      [['--name', 'x', '--target', 'data:text/html,x', '--link-schemes', 'shopapp'], 1, /may not lead to data:/],
      [['--name', 'x', '--target', 'x', '--link-schemes', 'javascript'], 2, /javascript may never be the target/],
      [['--name', 'x', '--target', TARGET, '--variable', 'city'], 2, /"city" is no NAME=VALUE/],
      [
        ['--name', 'x', '--target', TARGET, '--variable', 'imei=1'],
        1,
        /variable imei is there already, or is one of the device/,
      ],
      [['--name', 'x', '--target', TARGET, '--variable', 'a b=1'], 1, /name of a variable/],
    ];
    for (const [words, exitCode, said] of cases) {
      const result = await runTidegate('link', 'add', ...of, ...words);
      assert.equal(result.exitCode, exitCode, words.join(' '));
      assert.match(result.stderr, said);
    }
    const unknown = await runTidegate(
      'link',
      'add',
      '--data',
      server.data,
      '--ai',
      'nobody',
      '--name',
      'x',
      '--target',
      TARGET,
    );
    assert.match(unknown.stderr, /There is no project nobody/);
    assert.match((await runTidegate('link', 'remove', ...of, '--link', 'zzzzzzzz')).stderr, /has no link zzzzzzzz/);
    const listed = await runTidegate('link', 'list', ...of, '--json');
    assert.equal((JSON.parse(listed.stdout) as unknown[]).length, 1, 'nothing of what was refused is left');
  });
});

test('the ads API answers in the shapes of the original, and to nobody else', async (t) => {
  const server = await startTestServer(t, { publicUrl: 'https://t.example.com' });
  const { ai, uid, clientId, secret } = TEST_PROJECT;
  const token = await getToken({ baseUrl: server.baseUrl, clientId, secret, project: uid, ai, clock: server.clock });
  const call = async (what: string, body?: object, headers: Record<string, string> = { Authorization: token }) => {
    const response = await fetch(`${server.baseUrl}/api/v1/projects/${uid}/meta/${what}`, {
      method: body ? 'POST' : 'GET',
      headers: { 'X-Client-Id': clientId, 'Content-Type': 'application/json', ...headers },
      ...(body && { body: JSON.stringify(body) }),
    });
    return { status: response.status, body: (await response.json()) as Answered };
  };
  const campaign = await call('campaigns', { name: '双十一推广' });
  assert.equal(campaign.status, 200);
  assert.match(campaign.body.id, /^[0-9A-Za-z]{8}$/);
  assert.deepEqual(campaign.body, { id: campaign.body.id, name: '双十一推广' });
  const channel = await call('channels', { name: '二维码推广' }, { Authorization: `Token ${token}` });
  assert.deepEqual((await call('campaigns')).body, [campaign.body]);
  assert.deepEqual((await call('channels')).body, [channel.body]);
  const draft = {
    name: 'normallinkstest2',
    productId: 'LPdgKARN',
    channelId: channel.body.id,
    campaignId: campaign.body.id,
    redirectUrl: 'http://www.example.com',
  };
  const link = await call('normallinks', draft);
  assert.equal(link.status, 200, JSON.stringify(link.body));
  const { linkId } = link.body;
  assert.deepEqual(link.body, {
    id: linkId,
    linkId,
    name: 'normallinkstest2',
    projectId: uid,
    productId: 'LPdgKARN',
    appId: null,
    trackingUrl: `https://t.example.com/l/${linkId}`,
    redirectUrl: 'http://www.example.com',
    impressionUrl: null,
    campaignId: campaign.body.id,
    campaignName: '双十一推广',
    channelId: channel.body.id,
    channelName: '二维码推广',
    status: 'activated',
    creatorId: null,
    creatorName: null,
    updaterId: null,
    updaterName: null,
    createdAt: server.clock.nowMs(),
    updatedAt: server.clock.nowMs(),
    params: null,
    variables: {},
  });
  assert.deepEqual((await call('normallinks')).body, [link.body]);
  assertSentOn(await hit(server, `/l/${linkId}`), 'http://www.example.com');

  await t.test('refuses what is wrong with a sentence', async () => {
    const cases: readonly [what: string, body: object, status: number, code: string][] = [
      ['campaigns', { name: '双十一推广' }, 409, 'name_taken'],
      ['channels', { name: '' }, 400, 'bad_name'],
      ['channels', { name: 'a b' }, 400, 'bad_name'],
      ['channels', {}, 400, 'bad_request'],
      ['channels', { name: 7 }, 400, 'bad_request'],
      ['channels', { name: 'x', extra: 1 }, 400, 'bad_request'],
      ['normallinks', draft, 409, 'name_taken'],
      ['normallinks', { ...draft, name: 'y', redirectUrl: 'javascript:alert(1)' }, 400, 'link_target_refused'],
      ['normallinks', { ...draft, name: 'y', campaignId: 'zzzzzzzz' }, 404, 'unknown_label'],
      ['normallinks', { ...draft, name: 'y', campaignId: draft.channelId }, 404, 'unknown_label'],
      ['normallinks', { ...draft, name: 'y', variables: { 'a b': 'c' } }, 400, 'bad_variables'],
      ['normallinks', { name: 'y' }, 400, 'bad_request'],
    ];
    for (const [what, body, status, code] of cases) {
      const answer = await call(what, body);
      assert.deepEqual([answer.status, answer.body.code], [status, code], JSON.stringify(body));
    }
  });
  await t.test('tells a stranger nothing, neither by GET nor by POST', async () => {
    for (const what of ['campaigns', 'channels', 'normallinks'])
      for (const body of [undefined, draft])
        assert.deepEqual(await call(what, body, { Authorization: 'a'.repeat(64) }), {
          status: 401,
          body: { message: 'Unauthorized', errors: [] },
        });
    const other = await fetch(`${server.baseUrl}/api/v1/projects/zzzzzzzz/meta/campaigns`, {
      headers: { Authorization: token },
    });
    assert.equal(other.status, 401);
    const byAi = await fetch(`${server.baseUrl}/api/v1/projects/${ai}/meta/campaigns`, {
      headers: { Authorization: token },
    });
    assert.equal(byAi.status, 401, 'the path has the uid');
  });
});
