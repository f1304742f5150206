import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { headerLine } from '../events/data-types.ts';
import { addHours } from '../events/hour.ts';
import type { OpenPackage, PackageStore } from '../packages/package-store.ts';
import {
  beijingHour,
  createProject,
  NOW_MS,
  openTestApi,
  publishHour,
  type TestApiOptions,
} from './api.test-helper.ts';
import type { CollectHandler } from './server.ts';

const HOUR = beijingHour('2018071809');
const ROWS = 'row\n'.repeat(1000);

/** A server with one published package, its link, and a request that is sent as it stands. */
async function openPackageServer(t: TestContext, options: TestApiOptions = {}, rows = ROWS) {
  const api = await openTestApi(t, options);
  const project = await createProject(api.catalog);
  const [entry] = await publishHour(api, project, HOUR, { page: [rows] });
  const token = await api.catalog.tokens.create(project.ai, NOW_MS);
  const exported = await fetch(`${api.baseUrl}/v2/insights/hour/page/${project.ai}/2018071809.json`, {
    headers: { Authorization: token },
  });
  const { downloadLinks } = (await exported.json()) as { downloadLinks: [string] };
  const target = downloadLinks[0].slice(api.baseUrl.length);
  const get = (
    path = target,
    { method = 'GET', headers = {} }: { method?: string; headers?: Record<string, string> } = {},
  ) =>
    new Promise<IncomingMessage & { content: Buffer }>((resolve, reject) => {
      const call = request({ port: api.port, host: '127.0.0.1', path, method, headers }, (res) => {
        buffer(res).then((content) => resolve(Object.assign(res, { content })), reject);
      });
      call.on('error', reject).end();
    });
  return { ...api, project, entry: entry!, target, get };
}

describe('GET of a link', () => {
  test('sends the package whole, as gzip without Content-Encoding, with its length and checksums', async (t) => {
    const { get, entry } = await openPackageServer(t);
    for (const accepted of ['gzip, deflate, br', 'identity', '*']) {
      const answer = await get(undefined, { headers: { 'Accept-Encoding': accepted } });
      assert.equal(answer.statusCode, 200);
      assert.equal(String(gunzipSync(answer.content)), headerLine('page') + ROWS);
      const { headers } = answer;
      assert.equal(headers['content-length'], String(entry.bytes));
      assert.equal(headers['content-type'], 'application/gzip');
      assert.equal(headers['content-encoding'], undefined);
      assert.equal(headers['transfer-encoding'], undefined);
      assert.equal(headers['x-amz-meta-md5-hash'], createHash('md5').update(answer.content).digest('hex'));
      assert.equal(headers['content-md5'], createHash('md5').update(answer.content).digest('base64'));
      assert.equal(headers.etag, `"${entry.md5}"`);
      assert.equal(headers['accept-ranges'], 'bytes');
      assert.equal(headers['content-disposition'], `attachment; filename="${entry.name}"`);
      assert.ok(headers['x-request-id']);
    }
  });

  test('answers HEAD with the same headers and no body', async (t) => {
    const { get, entry } = await openPackageServer(t);
    const answer = await get(undefined, { method: 'HEAD', headers: { Range: 'bytes=0-9' } });
    assert.equal(answer.statusCode, 200);
    assert.equal(answer.headers['content-length'], String(entry.bytes));
    assert.ok(answer.headers['content-md5']);
    assert.equal(answer.content.length, 0);
  });

  test('sends a part, with the hash of the whole but no Content-MD5', async (t) => {
    const { get, entry } = await openPackageServer(t);
    const whole = (await get()).content;
    const { bytes } = entry;
    for (const [range, from, until] of [
      ['bytes=0-9', 0, 10],
      ['bytes=10-', 10, bytes],
      ['bytes=-7', bytes - 7, bytes],
      [`bytes=${bytes - 1}-${bytes + 50}`, bytes - 1, bytes],
    ] as const) {
      const answer = await get(undefined, { headers: { Range: range } });
      assert.equal(answer.statusCode, 206, range);
      assert.deepEqual(answer.content, whole.subarray(from, until));
      assert.equal(answer.headers['content-range'], `bytes ${from}-${until - 1}/${bytes}`);
      assert.equal(answer.headers['content-length'], String(until - from));
      assert.equal(answer.headers['content-md5'], undefined);
      assert.equal(answer.headers['x-amz-meta-md5-hash'], entry.md5);
    }
    const several = await get(undefined, { headers: { Range: 'bytes=0-1,4-5' } });
    assert.deepEqual([several.statusCode, several.content.length], [200, bytes]);
    const beyond = await get(undefined, { headers: { Range: `bytes=${bytes}-` } });
    assert.deepEqual([beyond.statusCode, beyond.headers['content-range']], [416, `bytes */${bytes}`]);
  });

  test('sends a part only if the package is still what If-Range says', async (t) => {
    const { get, entry } = await openPackageServer(t);
    const part = (ifRange: string) => get(undefined, { headers: { Range: 'bytes=0-9', 'If-Range': ifRange } });
    assert.equal((await part(`"${entry.md5}"`)).statusCode, 206);
    for (const other of [`W/"${entry.md5}"`, '"0"', entry.md5, 'Wed, 18 Jul 2018 02:30:00 GMT']) {
      assert.equal((await part(other)).statusCode, 200, other);
    }
  });

  test('sends nothing to whoever has the package already, as If-None-Match says', async (t) => {
    const { get, entry } = await openPackageServer(t);
    const whole = (await get()).content;
    const marked = (mark: string, more = {}) => get(undefined, { headers: { 'If-None-Match': mark, ...more } });
    for (const mark of [`"${entry.md5}"`, `W/"${entry.md5}"`, `"0", "${entry.md5}"`, '*']) {
      const answer = await marked(mark, { Range: 'bytes=0-9' });
      assert.deepEqual([answer.statusCode, answer.content.length], [304, 0], mark);
      assert.equal(answer.headers.etag, `"${entry.md5}"`);
    }
    for (const other of ['"0"', entry.md5, '']) {
      const answer = await marked(other);
      assert.deepEqual([answer.statusCode, answer.content.equals(whole)], [200, true], other);
    }
  });

  test('takes a link to its last second and refuses it one second later, also for HEAD', async (t) => {
    const { get, clock } = await openPackageServer(t);
    clock.set(NOW_MS + 5 * 60_000);
    assert.equal((await get()).statusCode, 200);
    clock.set(NOW_MS + 5 * 60_000 + 1000);
    const answer = await get();
    assert.equal(answer.statusCode, 403);
    const body = JSON.parse(String(answer.content)) as { message: string; requestId: string };
    assert.match(body.message, /^This link has expired\. Ask the export call for a fresh link/);
    assert.equal(body.requestId, answer.headers['x-request-id']);
    assert.equal((await get(undefined, { method: 'HEAD' })).statusCode, 403);
  });

  test('refuses a link with one character changed at any position of path and query', async (t) => {
    const { get, target } = await openPackageServer(t);
    const refused = new Map<number, string>();
    for (let at = 0; at < target.length; at += 1) {
      for (const other of ['0', 'Z']) {
        if (target[at] === other) continue;
        const answer = await get(`${target.slice(0, at)}${other}${target.slice(at + 1)}`).catch(() => undefined);
        refused.set(answer?.statusCode ?? 0, `${at}${other}`);
        assert.ok(answer?.statusCode === 403 || at === 0, `position ${at}: ${answer?.statusCode}`);
      }
    }
    // Without its first slash it is no HTTP at all.
    assert.deepEqual([...refused.keys()].sort(), [400, 403]);
  });

  test('refuses a link with a parameter more, twice, in another order or in another case', async (t) => {
    const { get, target } = await openPackageServer(t);
    const [path, query] = target.split('?') as [string, string];
    const [expires, signature] = query.split('&') as [string, string];
    const others = [
      `${target}&x=1`,
      `${target}&`,
      `${target}#x`,
      `${path}?${signature}&${expires}`,
      `${path}?${expires}&${query}`,
      `${path}?${expires}&Signature=${signature.slice(10).toUpperCase()}`,
      `${path.replace('part', '%70art')}?${query}`,
      `/${target}`,
      `/x/..${target}`,
      `${path}/?${query}`,
      path,
      `${path}?`,
      `${path}?${expires}`,
      `${target}%zz`,
      target.replace('/part', '/../part'),
    ];
    for (const other of others) assert.equal((await get(other)).statusCode, 403, other);
    const posted = await get(target, { method: 'POST' });
    assert.deepEqual([posted.statusCode, posted.headers.allow], [405, 'GET, HEAD']);
  });

  test('answers 410 when the package has been removed', async (t) => {
    const { get, catalog, packages, entry, logged } = await openPackageServer(t);
    await packages.delete(entry.key);
    const lost = await get();
    assert.equal(lost.statusCode, 410);
    assert.equal(logged.length, 1, 'an operator must hear of a published package that is not in the store');
    await catalog.manifests.deletePackagesBefore(addHours(HOUR, 1));
    const removed = await get();
    assert.equal(removed.statusCode, 410);
    assert.match(String(removed.content), /ask the export call again/);
    assert.equal(logged.length, 1);
  });

  test('answers 410 as soon as the catalog has let a package go that was sent just before', async (t) => {
    const { get, catalog } = await openPackageServer(t);
    assert.equal((await get()).statusCode, 200);
    await catalog.manifests.deletePackagesBefore(addHours(HOUR, 1));
    assert.equal((await get()).statusCode, 410);
  });

  test('sends a package of many chunks, and any range of it, whole', async (t) => {
    const rows = randomBytes(900_000).toString('hex'); // does not compress below half
    const { get, entry } = await openPackageServer(t, {}, rows);
    const whole = await get();
    assert.equal(whole.content.length, entry.bytes);
    assert.equal(createHash('md5').update(whole.content).digest('hex'), entry.md5);
    assert.ok(entry.bytes > 3 * 262_144, 'the package is larger than three chunks');
    for (const [from, until] of [
      [0, 262_144],
      [0, 262_145],
      [1, 524_289],
      [262_143, entry.bytes],
    ] as const) {
      const part = await get(undefined, { headers: { Range: `bytes=${from}-${until - 1}` } });
      assert.ok(part.content.equals(whole.content.subarray(from, until)), `${from} to ${until}`);
    }
  });

  test('sends nothing of a package whose size is not that of the manifest', async (t) => {
    const { get, packages, entry, logged } = await openPackageServer(t);
    await packages.delete(entry.key);
    const sink = await packages.create(entry.key);
    await sink.write(Buffer.from('short'));
    await sink.finish();
    const answer = await get().catch((error: unknown) => assert.fail(`there was no answer: ${String(error)}`));
    assert.equal(answer.statusCode, 500);
    assert.equal((JSON.parse(String(answer.content)) as { code: string }).code, 'store_corrupt');
    assert.equal(logged.length, 1);
  });

  test('cuts the connection when the store fails after the headers', async (t) => {
    for (const fault of ['error', 'end', 'more'] as const) {
      const { get, logged } = await openPackageServer(t, { packages: failingStore(fault) });
      await assert.rejects(get(), { code: 'ECONNRESET' });
      assert.equal(logged.length, 1);
    }
  });

  test('closes the package when the client hangs up', async (t) => {
    const store = stalledStore();
    const { port, target, logged } = await openPackageServer(t, { packages: store.store });
    const call = request({ port, host: '127.0.0.1', path: target });
    call.on('error', () => undefined).end();
    const [answer] = (await once(call, 'response')) as [IncomingMessage];
    answer.on('error', () => undefined);
    await once(answer, 'data');
    call.destroy();
    await store.closed;
    assert.deepEqual(logged, []);
  });

  test('closes the package when the client hung up before it was open', async (t) => {
    const store = stalledStore();
    const opening = Promise.withResolvers<undefined>();
    const goOn = Promise.withResolvers<undefined>();
    const open = async (key: string) => {
      opening.resolve(undefined);
      await goOn.promise;
      return store.store.open(key);
    };
    const left = Promise.withResolvers<undefined>();
    const handleCollect: CollectHandler = (_req, res, url) => {
      if (!url.startsWith('/v2/')) res.once('close', () => left.resolve(undefined));
      return false;
    };
    const { port, target, logged } = await openPackageServer(t, {
      packages: { ...store.store, open },
      server: { handleCollect },
    });
    const call = request({ port, host: '127.0.0.1', path: target });
    call.on('error', () => undefined).end();
    await opening.promise;
    call.destroy();
    await left.promise;
    goOn.resolve(undefined);
    await store.closed;
    assert.deepEqual(logged, []);
  });
});

/** A store whose packages give two bytes and then fail, or just end, or say that they gave more than was asked for. */
function failingStore(fault: 'error' | 'end' | 'more'): PackageStore {
  const read = (into: Uint8Array, from: number): Promise<number> => {
    if (from === 0) return Promise.resolve(2);
    if (fault === 'error') return Promise.reject(Object.assign(new Error('i/o error'), { code: 'EIO' }));
    return Promise.resolve(fault === 'end' ? 0 : into.length + 1);
  };
  return storeOf(read, () => undefined);
}

/** A store whose packages stop after one byte, and a promise that is fulfilled when one is closed. */
function stalledStore(): { store: PackageStore; closed: Promise<undefined> } {
  const { promise: closed, resolve } = Promise.withResolvers<undefined>();
  const read = (_into: Uint8Array, from: number) =>
    from === 0 ? Promise.resolve(1) : Promise.withResolvers<number>().promise;
  return { store: storeOf(read, () => resolve(undefined)), closed };
}

/** A store that takes any package and reads others as it is told, with the right size. */
function storeOf(read: OpenPackage['read'], onClose: () => void): PackageStore {
  const sizes = new Map<string, number>();
  return {
    create: (key) => {
      sizes.set(key, 0);
      return Promise.resolve({
        write: (bytes) => {
          sizes.set(key, (sizes.get(key) ?? 0) + bytes.length);
          return Promise.resolve();
        },
        finish: () => Promise.resolve(),
        abort: () => Promise.resolve(),
      });
    },
    delete: () => Promise.resolve(),
    deleteUnder: () => Promise.resolve(),
    deleteBefore: () => Promise.resolve(),
    open: (key) => {
      const close = () => {
        onClose();
        return Promise.resolve();
      };
      const stream = (): never => assert.fail('A download reads.');
      return Promise.resolve({ bytes: sizes.get(key)!, read, stream, close });
    },
  };
}
