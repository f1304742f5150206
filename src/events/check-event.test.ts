/** The edges of what is rejected; test/bad-events.e2e.test.ts has a case for every reason. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { WireObject } from './column-sources.ts';
import { isWireObject, MAX_ACTION_ELEMENTS, rejectionOf } from './check-event.ts';

const custom = { t: 'cstm', u: 'u', tm: 1, n: 'buy' };
const click = { t: 'clck', u: 'u', tm: 1, e: [{}] };
const server = { t: 'cstm', tm: 1, n: 'buy', cs1: 'user' };

describe('rejectionOf', () => {
  const taken: readonly (readonly [what: string, event: WireObject])[] = [
    ['the least of a visit', { t: 'vst', u: 'u', tm: 1 }],
    ['a time of 0', { ...custom, tm: 0 }],
    ['a time before 1970', { ...custom, tm: -1 }],
    ['a time as digits', { ...custom, tm: '1795469638321' }],
    ['a time as a whole float', { ...custom, tm: 1e12 }],
    ['a visitor that is the number 0', { ...custom, u: 0 }],
    ['a visitor of blanks', { ...custom, u: ' ' }],
    ['an event name that is a number', { ...custom, n: 5 }],
    ['an action with an empty element', click],
    ['as many elements as there may be', { ...click, e: Array.from({ length: MAX_ACTION_ELEMENTS }, () => ({})) }],
    ['a page with an e that is none', { t: 'page', u: 'u', tm: 1, e: 5 }],
    ['variables of the wrong kind', { t: 'evar', u: 'u', tm: 1, var: [true] }],
  ];
  for (const [what, event] of taken) {
    it(`takes ${what}`, () => assert.equal(rejectionOf(event, String(event.t), false), null));
  }

  const refused: readonly (readonly [what: string, event: WireObject])[] = [
    ['a time of half a millisecond', { ...custom, tm: 0.5 }],
    ['a time in another form', { ...custom, tm: '2026-11-23T04:00:00Z' }],
    ['a visitor that is empty', { ...custom, u: '' }],
    [
      'one element more than there may be',
      { ...click, e: Array.from({ length: MAX_ACTION_ELEMENTS + 1 }, () => ({})) },
    ],
    ['an element that is an array', { ...click, e: [{}, []] }],
    ['something that only looks like an array', { ...click, e: { length: 1, 0: {} } }],
  ];
  for (const [what, event] of refused) {
    it(`refuses ${what}`, () => assert.equal(typeof rejectionOf(event, String(event.t), false), 'string'));
  }

  const serverTaken: readonly (readonly [what: string, event: WireObject])[] = [
    ['the least', server],
    ['255 emoji in both names', { ...server, n: '🍎'.repeat(255), cs1: '🍎'.repeat(255) }],
    ['a login user that is a number', { ...server, cs1: 10 }],
    ['a login user with blanks around a refused one', { ...server, cs1: ' 0 ' }],
    ['no variables', { ...server, var: null }],
    ['empty variables', { ...server, var: {} }],
    ['empty variables as PHP writes them', { ...server, var: [] }],
    ['values that are null, numbers and 255 emoji', { ...server, var: { a: null, b: 1.5, c: '🍎'.repeat(255) } }],
  ];
  for (const [what, event] of serverTaken) {
    it(`takes from a server ${what}`, () => assert.equal(rejectionOf(event, 'cstm', true), null));
  }

  it('does not ask a server for a visitor, but for a login user', () => {
    assert.equal(rejectionOf(server, 'cstm', false), 'u (the visitor) is missing');
    assert.equal(rejectionOf(custom, 'cstm', true), 'cs1 (the login user) is missing');
  });

  it('never says what the event held, but for the words that are no login user', () => {
    const secret = 'secret-9f';
    const events = [
      { ...server, n: secret.repeat(100) },
      { ...server, cs1: `${secret}:` },
      { ...server, cs1: secret.repeat(100) },
      { ...server, var: { [secret]: secret.repeat(100) } },
      { ...server, tm: secret },
    ];
    for (const event of events) assert.doesNotMatch(rejectionOf(event, 'cstm', true) ?? secret, /secret/);
  });
});

describe('isWireObject', () => {
  const cases: readonly (readonly [value: unknown, isObject: boolean])[] = [
    [{}, true],
    [{ a: 1 }, true],
    [[], false],
    [null, false],
    [undefined, false],
    ['{}', false],
    [0, false],
  ];
  for (const [value, isObject] of cases) {
    it(`says ${isObject} of ${JSON.stringify(value)}`, () => assert.equal(isWireObject(value), isObject));
  }
});
