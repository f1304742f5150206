/** Ids are a format: files of different days, servers and versions are joined by them. The values pinned here never change. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  actionRequestId,
  digestOfText,
  eventDigest,
  eventRowId,
  pageRequestId,
  pageRowId,
  ROW_ID_BYTES,
  visitRowId,
  vstRequestId,
} from './ids.ts';

const AI = '0123456789abcdef';
const DIGEST_HEX = '160803006ddaeafb39f491b68a6739b0ea2c7cb7f7cb09fe9c9da27b40375cb7';
const DIGEST = Buffer.from(DIGEST_HEX, 'hex').toString('latin1');

describe('golden ids, computed with another SHA-256', () => {
  const cases: readonly (readonly [what: string, id: string, golden: string])[] = [
    ['a visit', vstRequestId(AI, 'u-1', 's-1'), 'bcb60d9516e5f475'],
    ['a visit without session', vstRequestId(AI, 'u-1', ''), '89e213025977db6a'],
    ['a visit in Chinese', vstRequestId(AI, '访客', 's'), '70538b1166916aa2'],
    ['a page', pageRequestId(AI, 'u-1', 's-1', 1795469638313), '17954696383139a94c9f473'],
    ['a page before 1970', pageRequestId(AI, 'u-1', 's-1', -1), '9999999999999d16da34018'],
    ['a page after 2286', pageRequestId(AI, 'u-1', 's-1', 10_000_000_000_005), '000000000000506e7cc1d07'],
    ['a page at the beginning of time', pageRequestId(AI, 'u-1', 's-1', 0), '0000000000000a684f5bc5b'],
    ['an event', Buffer.from(eventDigest(AI, 'action', { t: 'clck' }), 'latin1').toString('hex'), DIGEST_HEX],
    ['its first row', eventRowId(DIGEST, 0, 0).toString('hex'), '160803006ddaeafb39f491b68a6739b0'],
    ['its second row', eventRowId(DIGEST, 1, 0).toString('hex'), '369bae86ab87b68717e14497fb29d21a'],
    ['its second occurrence', eventRowId(DIGEST, 0, 1).toString('hex'), '3c022e65136080b2464c874aac33f6ca'],
    ['an action on the web', actionRequestId(true, eventRowId(DIGEST, 0, 0)), 'wa:160803006ddaeafb39f491b68a6'],
    ['an action elsewhere', actionRequestId(false, eventRowId(DIGEST, 0, 0)), 'ma:160803006ddaeafb39f491b68a6'],
    ['a text', digestOfText('x'), 'b79457fffa8f76d1'],
  ];
  for (const [what, id, golden] of cases) it(`are those of ${what}`, () => assert.equal(id, golden));
});

describe('ids', () => {
  const word = fc.string({ unit: 'binary', maxLength: 12 }).map((text) => text.toWellFormed().replaceAll('\0', ' '));
  const time = fc.integer({ min: -(10 ** 15), max: 10 ** 15 });

  it('have the documented shapes for any input', () => {
    fc.assert(
      fc.property(word, word, time, (u, s, timeMs) => {
        assert.match(vstRequestId(AI, u, s), /^[0-9a-f]{16}$/);
        assert.match(pageRequestId(AI, u, s, timeMs), /^\d{13}[0-9a-f]{10}$/);
      }),
    );
  });

  it('begin with the time of the page where it has 13 digits', () => {
    fc.assert(
      fc.property(word, fc.integer({ min: 10 ** 12, max: 10 ** 13 - 1 }), (u, timeMs) => {
        assert.ok(pageRequestId(AI, u, 's', timeMs).startsWith(String(timeMs)));
      }),
    );
  });

  it('are the same for the same input and differ in every part', () => {
    const parts = [AI, 'u', 's'] as const;
    assert.equal(vstRequestId(...parts), vstRequestId(...parts));
    const ids = [
      vstRequestId(...parts),
      vstRequestId('other', 'u', 's'),
      vstRequestId(AI, 'u2', 's'),
      vstRequestId(AI, 'u', 's2'),
    ];
    assert.equal(new Set(ids).size, ids.length);
    const pages = [1, 2, 10_000_000_000_001].map((timeMs) => pageRequestId(...parts, timeMs));
    assert.equal(new Set(pages.map((page) => page.slice(13))).size, pages.length);
  });

  it('do not let parts run into each other', () => {
    assert.notEqual(vstRequestId(AI, 'ab', 'c'), vstRequestId(AI, 'a', 'bc'));
    assert.notEqual(vstRequestId(AI, 'u', ''), vstRequestId(AI, '', 'u'));
    assert.notEqual(pageRequestId(AI, 'u', '1', 1).slice(13), pageRequestId(AI, 'u', '', 11).slice(13));
    assert.notEqual(eventDigest(AI, 'action', {}), eventDigest(AI, 'evar', {}));
    assert.notDeepEqual(eventRowId(DIGEST, 1, 11), eventRowId(DIGEST, 11, 1));
  });

  it('fit into row ids without losing anything', () => {
    const visit = vstRequestId(AI, 'u', 's');
    assert.equal(visitRowId(visit).toString('hex').slice(0, 16), visit);
    const page = pageRequestId(AI, 'u', 's', 9_999_999_999_999);
    const rowId = pageRowId(page);
    assert.equal(rowId.readBigUInt64BE(0), 9_999_999_999_999n);
    assert.equal(rowId.toString('hex', 8, 13), page.slice(13));
    for (const id of [visitRowId(visit), rowId, eventRowId(DIGEST, 0, 0), eventRowId(DIGEST, 7, 0)]) {
      assert.equal(id.length, ROW_ID_BYTES);
    }
  });

  it('of pages sort as their times', () => {
    const ids = [5, 1_795_469_638_313, 1_795_469_638_314].map((timeMs) =>
      pageRowId(pageRequestId(AI, 'u', 's', timeMs)),
    );
    assert.deepEqual(
      ids,
      ids.toSorted((a, b) => a.compare(b)),
    );
  });

  it('of actions have at most the 30 characters that the documents allow', () => {
    assert.equal(actionRequestId(true, eventRowId(DIGEST, 4999, 99)).length, 30);
  });
});
