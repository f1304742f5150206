import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { describe, it, type TestContext } from 'node:test';
import type { Project } from '../catalog/catalog.ts';
import { createProject, NOW_MS, openTestApi, tokenBody, type TestApi } from './api.test-helper.ts';
import type { ReceiptDocument } from './erasure-routes.ts';

type Shop = { readonly api: TestApi; readonly project: Project };

async function openShop(t: TestContext): Promise<Shop> {
  const api = await openTestApi(t);
  return { api, project: await createProject(api.catalog) };
}

function authOf({ ai, secret }: Project, ids: readonly string[]): string {
  return createHmac('sha256', secret)
    .update(`projectId=${ai}&visitUserId=${ids.join(',')}`)
    .digest('hex');
}

type Asked = {
  readonly ids?: readonly unknown[];
  readonly body?: string | Uint8Array<ArrayBuffer>;
  readonly auth?: string;
  readonly accessToken?: string | undefined;
  readonly ai?: string;
};

function ask({ api, project }: Shop, asked: Asked = {}): Promise<Response> {
  const { ids = ['u-1'], ai = project.ai } = asked;
  const auth = asked.auth ?? authOf(project, ids as string[]);
  const accessToken = 'accessToken' in asked ? asked.accessToken : project.clientId;
  return fetch(`${api.baseUrl}/${ai}/deleteVisitor?auth=${auth}`, {
    method: 'POST',
    headers: accessToken === undefined ? {} : { 'Access-Token': accessToken },
    body: asked.body ?? JSON.stringify({ visitUserId: ids }),
  });
}

describe('POST /{ai}/deleteVisitor', () => {
  it('answers 202 with a receipt, for ids with commas, and for a hundred of them', async (t) => {
    const shop = await openShop(t);
    const hundred = Array.from({ length: 100 }, (_, place) => `a,b"${place}é`);
    const response = await ask(shop, { ids: hundred });
    assert.equal(response.status, 202);
    assert.equal(response.headers.get('cache-control'), 'no-store');
    const receipt = (await response.json()) as ReceiptDocument;
    assert.deepEqual(
      { ...receipt, receiptId: '' },
      {
        receiptId: '',
        ai: shop.project.ai,
        status: 'pending',
        visitors: 100,
        requestedAt: new Date(NOW_MS).toISOString(),
        expectedBy: '2018-07-18T03:05:00.000Z',
        error: null,
        certificate: null,
      },
    );
    const [erasure] = await shop.api.catalog.erasures.listUnfinished();
    assert.deepEqual(erasure?.visitorIds, hundred);
    assert.equal(response.headers.get('location'), `/api/v1/projects/${shop.project.ai}/erasures/${receipt.receiptId}`);
  });

  it('takes the proof in capitals, whatever the Content-Type', async (t) => {
    const shop = await openShop(t);
    assert.equal((await ask(shop, { auth: authOf(shop.project, ['u-1']).toUpperCase() })).status, 202);
  });

  it('tells a stranger nothing but Unauthorized', async (t) => {
    const shop = await openShop(t);
    const other = await createProject(shop.api.catalog);
    const refused: readonly Asked[] = [
      { auth: authOf(shop.project, ['u-2']) },
      { auth: authOf(other, ['u-1']) },
      { auth: '' },
      { auth: 'zz' },
      { accessToken: other.clientId },
      { accessToken: undefined },
      { ai: other.ai },
      { ai: 'nobody' },
    ];
    for (const asked of refused) {
      const response = await ask(shop, asked);
      assert.equal(response.status, 401, JSON.stringify(asked));
      assert.deepEqual(await response.json(), { message: 'Unauthorized', errors: [] });
    }
    assert.deepEqual(await shop.api.catalog.erasures.listUnfinished(), []);
  });

  const bad: readonly (readonly [what: string, asked: Asked, status: number, sentence: RegExp])[] = [
    ['101 ids', { ids: Array.from({ length: 101 }, () => 'u') }, 400, /101 visitors are named; 1 to 100 can be/],
    ['no ids', { ids: [] }, 400, /0 visitors are named/],
    ['an empty id', { ids: ['u-1', ''] }, 400, /Visitor 2 of the list is no text, or an empty one/],
    ['a number for an id', { ids: [7] }, 400, /Visitor 1 of the list is no text/],
    ['no list', { body: '{"visitUserId":"u-1"}' }, 400, /The body has no list visitUserId/],
    ['another body', { body: 'visitUserId=u-1' }, 400, /The body is no JSON/],
    ['other bytes than UTF-8', { body: Buffer.from('{"visitUserId":["u-\xfc"]}', 'latin1') }, 400, /no JSON in UTF-8/],
    ['no body', { body: '' }, 400, /The body is no JSON/],
    ['more than 2 MiB', { ids: ['u'.repeat(2 * 1024 * 1024)] }, 413, /The body is too large/],
  ];
  for (const [what, asked, status, sentence] of bad) {
    it(`refuses ${what}`, async (t) => {
      const response = await ask(await openShop(t), asked);
      assert.equal(response.status, status);
      assert.match(((await response.json()) as { message: string }).message, sentence);
    });
  }

  it('answers other methods with 405', async (t) => {
    const { api, project } = await openShop(t);
    const response = await fetch(`${api.baseUrl}/${project.ai}/deleteVisitor`, { method: 'DELETE' });
    assert.equal(response.status, 405);
    assert.equal(response.headers.get('allow'), 'POST, GET, HEAD');
  });
});

describe('the receipt of an erasure', () => {
  it('is read with the secret on the same path, and with a token under /api/v1; nobody else reads it', async (t) => {
    const shop = await openShop(t);
    const { api, project } = shop;
    const receipt = (await (await ask(shop)).json()) as ReceiptDocument;
    const poll = (by: Project, receiptId: string): Promise<Response> => {
      const text = `projectId=${project.ai}&receiptId=${receiptId}`;
      const auth = createHmac('sha256', by.secret).update(text).digest('hex');
      return fetch(`${api.baseUrl}/${project.ai}/deleteVisitor?receiptId=${receiptId}&auth=${auth}`, {
        headers: { 'Access-Token': by.clientId },
      });
    };
    assert.deepEqual(await (await poll(project, receipt.receiptId)).json(), receipt);
    const other = await createProject(api.catalog);
    assert.equal((await poll(other, receipt.receiptId)).status, 401);
    const unknown = await poll(project, '0'.repeat(24));
    assert.equal(unknown.status, 404);
    assert.equal(((await unknown.json()) as { code: string }).code, 'unknown_receipt');

    const read = async (by: Project): Promise<Response> => {
      const token = await fetch(`${api.baseUrl}/auth/token`, {
        method: 'POST',
        headers: { 'X-Client-Id': by.clientId },
        body: tokenBody(by, NOW_MS),
      });
      const { code } = (await token.json()) as { code: string };
      return fetch(`${api.baseUrl}/api/v1/projects/${project.ai}/erasures/${receipt.receiptId}`, {
        headers: { Authorization: code },
      });
    };
    assert.deepEqual(await (await read(project)).json(), receipt);
    assert.equal((await read(other)).status, 401);
  });
});
