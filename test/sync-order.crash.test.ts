/**
 * What is durable when: the order of writes, syncs and names, read from the system calls themselves. A power cut cannot be had in
 * a test, so this shows that nothing is promised before the disk was asked for it.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { before, describe, it } from 'node:test';
import { CallOrder, traceFileCalls, type FileCall } from './helpers/file-calls.ts';
import { NO_TRACE } from './helpers/machine-faults.ts';

const PROGRAM = join(import.meta.dirname, 'helpers/sync-order-entry.ts');
const SEGMENT = /\/[0-9a-f]{10}-000001\.seg$/;
const HOUR_FOLDER = /\/hours\/202611230400$/;
const HOURS_FOLDER = /\/hours$/;

describe('the order of syncs', { skip: NO_TRACE }, () => {
  let calls: readonly FileCall[];
  before(async () => {
    const folder = await mkdtemp(join(tmpdir(), 'tidegate-test-'));
    try {
      calls = await traceFileCalls(PROGRAM, folder);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('A1 syncs a frame between its write and its acknowledgement', () => {
    const order = new CallOrder(calls);
    order.then('mark', 'first acknowledged');
    order.then('write', SEGMENT);
    order.before('second acknowledged').then('sync', SEGMENT);
  });

  it('F1 makes the names of an hour and of its segment durable before the first acknowledgement', () => {
    const order = new CallOrder(calls);
    order.then('mark', 'opened');
    const toAcknowledgement = order.before('first acknowledged');
    toAcknowledgement.then('sync', HOURS_FOLDER);
    toAcknowledgement.then('create', SEGMENT);
    toAcknowledgement.then('sync', HOUR_FOLDER);
  });

  it('F1 makes the names of its own folders durable before the log is open', () => {
    const toOpened = new CallOrder(calls).before('opened');
    toOpened.then('create', HOURS_FOLDER);
    toOpened.then('create', /\/imports$/);
    toOpened.then('sync', /\/hour-log$/);
  });

  it('B1 raises a fence that lasts before it measures a segment', () => {
    const order = new CallOrder(calls);
    order.then('mark', 'second acknowledged');
    const toSeal = order.before('sealed');
    toSeal.then('link', /\/fence$/);
    toSeal.then('sync', HOUR_FOLDER);
    toSeal.then('sync', SEGMENT);
    toSeal.then('link', /\/seal\.json$/);
  });

  it('S1 syncs a segment that it measured before it writes the seal', () => {
    const order = new CallOrder(calls);
    order.then('mark', 'second acknowledged');
    order.then('sync', SEGMENT);
    order.then('link', /\/seal\.json$/);
  });

  it('F1 syncs a file that is written once before it has its name, and the folder after', () => {
    for (const [name, from, until] of [
      ['fence', 'second acknowledged', 'sealed'],
      ['seal.json', 'second acknowledged', 'sealed'],
      ['ready.json', 'sealed', 'prepared'],
    ] as const) {
      const order = new CallOrder(calls);
      order.then('mark', from);
      const toEnd = order.before(until);
      toEnd.then('sync', new RegExp(`/${name}\\.[0-9a-f]+\\.tmp$`));
      toEnd.then('link', new RegExp(`/${name}$`));
      toEnd.then('sync', HOUR_FOLDER);
    }
  });

  it('F1 syncs a file that may be replaced before it has its name, and the folder after', () => {
    const order = new CallOrder(calls);
    order.then('mark', 'packaged');
    const toEnd = order.before('imported');
    toEnd.then('sync', /\/commit\.json\.[0-9a-f]+\.tmp$/);
    toEnd.then('rename', /\/commit\.json$/);
    toEnd.then('sync', /\/imports\/[^/]+$/);
  });

  it('F3 deletes a segment only when its run is synced, has its name, and its folder is synced', () => {
    const order = new CallOrder(calls);
    order.then('mark', 'sealed');
    order.then('sync', /-000001\.run\.[0-9a-f]+\.tmp$/);
    order.then('rename', /-000001\.run$/);
    order.then('sync', HOUR_FOLDER);
    order.then('unlink', SEGMENT);
  });

  it('P1 finishes a package when it is synced, has its name, and every folder up to the root is synced', () => {
    const order = new CallOrder(calls);
    order.then('mark', 'prepared');
    const toEnd = order.before('packaged');
    toEnd.then('write', /\.tmp$/);
    toEnd.then('sync', /\/\.part\.csv\.gz\.[^/]+\.tmp$/);
    const { path } = toEnd.then('rename', /\/part\.csv\.gz$/);
    for (let folder = dirname(path); !folder.endsWith('/packages'); folder = dirname(folder))
      toEnd.then('sync', folder);
    toEnd.then('sync', /\/packages$/);
  });

  it('S4 makes the runs of an import durable before the import counts', () => {
    const order = new CallOrder(calls);
    order.then('mark', 'packaged');
    const toEnd = order.before('imported');
    toEnd.then('create', /\/imports\/[^/]+$/);
    toEnd.then('sync', /\/imports$/);
    toEnd.then('sync', /\/imports\/[^/]+\/202611230300-000001\.run\.[0-9a-f]+\.tmp$/);
    toEnd.then('rename', /\/202611230300-000001\.run$/);
    toEnd.then('sync', /\/imports\/[^/]+$/);
    toEnd.then('sync', /\/commit\.json\.[0-9a-f]+\.tmp$/);
    toEnd.then('rename', /\/commit\.json$/);
    toEnd.then('sync', /\/imports\/[^/]+$/);
  });
});
