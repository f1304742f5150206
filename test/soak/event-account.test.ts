import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EventAccount } from './event-account.ts';

const EVENTS = 3_000;

/** An account of two clients, of whose events half are acknowledged. */
function openAccount(): EventAccount {
  const account = new EventAccount(2);
  for (const client of [0, 1]) {
    account.acknowledge(account.take(client, EVENTS), EVENTS);
    account.take(client, EVENTS);
  }
  return account;
}

function countRows(account: EventAccount, places: Iterable<number>): void {
  for (const place of places) for (const client of [0, 1]) account.countRow({ client, place }, 'hour 2026112312');
}

const range = (from: number, until: number): number[] => Array.from({ length: until - from }, (_, i) => from + i);

describe('the account of a soak', () => {
  it('finds nothing wrong when every acknowledged event is exported once, and others once or not', () => {
    const account = openAccount();
    countRows(account, range(0, EVENTS + 10));
    assert.deepEqual(account.summary(), {
      sent: 4 * EVENTS,
      acknowledged: 2 * EVENTS,
      unacknowledged: 2 * EVENTS,
      exportedUnacknowledged: 20,
      rows: 2 * EVENTS + 20,
      lost: 0,
      doubled: 0,
      strangers: 0,
      examples: [],
    });
  });

  it('names an acknowledged event that is not exported', () => {
    const account = openAccount();
    countRows(account, range(0, EVENTS - 1));
    account.countRow({ client: 1, place: EVENTS - 1 }, 'hour 2026112312');
    const { lost, doubled, examples } = account.summary();
    assert.deepEqual([lost, doubled, examples], [1, 0, ['event 0/2999 was acknowledged and is lost']]);
  });

  it('names an acknowledged event that is exported twice', () => {
    const account = openAccount();
    countRows(account, range(0, EVENTS));
    account.countRow({ client: 1, place: 7 }, 'hour 2026112313');
    const { lost, doubled, rows, examples } = account.summary();
    assert.deepEqual([lost, doubled, rows], [0, 1, 2 * EVENTS + 1]);
    assert.deepEqual(examples, ['event 1/7 is a second time in hour 2026112313']);
  });

  it('counts an event that was not acknowledged and is exported twice', () => {
    const account = openAccount();
    countRows(account, [...range(0, EVENTS), EVENTS, EVENTS]);
    const { doubled, exportedUnacknowledged } = account.summary();
    assert.deepEqual([doubled, exportedUnacknowledged], [2, 2]);
  });

  it('counts every row of an event that is exported hundreds of times, and none of its neighbours', () => {
    const account = openAccount();
    for (let row = 0; row < 1_000; row += 1) account.countRow({ client: 0, place: 3 }, 'hour 2026112312');
    const { lost, doubled } = account.summary();
    assert.deepEqual([lost, doubled], [2 * EVENTS - 1, 999]);
  });

  it('counts rows of events and clients that never were', () => {
    const account = openAccount();
    account.countRow({ client: 0, place: 2 * EVENTS }, 'hour 2026112312');
    account.countRow({ client: 2, place: 0 }, 'hour 2026112312');
    assert.equal(account.summary().strangers, 2);
  });
});
