import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readDeviceId } from '../events/device-id.ts';
import { activationIdsOf, DeviceKeys } from './device-keys.ts';

const AI = '0123456789abcdef';
const KEYS = new DeviceKeys(Buffer.alloc(32, 1));
const NOBODY = { idfa: null, idfv: null, imei: null, androidId: null, oaid: null };
const NOWHERE = { ip: null, userAgent: null };
const HOME = { ip: '203.0.113.9', userAgent: 'Mozilla/5.0' };

const hexOf = (keys: readonly Buffer[]): readonly string[] => keys.map((key) => key.toString('hex'));

describe('readDeviceId', () => {
  it('reads an id whatever its case and blanks', () => {
    assert.equal(readDeviceId(' AEBE52E7-03EE-455A-B3C4-E57283966239 '), 'aebe52e7-03ee-455a-b3c4-e57283966239');
    assert.equal(readDeviceId(867530912345678), '867530912345678');
  });

  it('takes what stands for an id in many devices for none', () => {
    for (const value of [
      ...[
        undefined,
        null,
        '',
        '  ',
        '0',
        '000000000000000',
        '00000000-0000-0000-0000-000000000000',
        'ffffffffffffffff',
      ],
      ...[
        'null',
        'NULL',
        'unknown',
        'undefined',
        '__IMEI__',
        '{imei}',
        '${imei}',
        '%7Bimei%7D',
        '<imei>',
        '[IDFA]',
        'idfa',
        'IMEI',
      ],
      ...['9774d56d682e549c', '-', '02:00:00:00:00:00'.replaceAll('2', '0'), 'a'.repeat(41)],
    ])
      assert.equal(readDeviceId(value), null, String(value));
  });
});

describe('DeviceKeys', () => {
  it('differ by project, kind, value, and the secret of the data directory, and hold no id', () => {
    const ids = { ...NOBODY, imei: '867530912345678' };
    const [key] = KEYS.ofClick(AI, ids, NOWHERE);
    assert.equal(key?.length, 12);
    const others = [
      KEYS.ofClick('other', ids, NOWHERE),
      KEYS.ofClick(AI, { ...NOBODY, androidId: ids.imei }, NOWHERE),
      KEYS.ofClick(AI, { ...NOBODY, imei: '867530912345679' }, NOWHERE),
      new DeviceKeys(Buffer.alloc(32, 2)).ofClick(AI, ids, NOWHERE),
    ];
    assert.equal(new Set([key, ...others.flat()].map((each) => each.toString('hex'))).size, 5);
  });

  it('look for a click by IMEI, Android id, then address and user agent; on iOS by IDFA, then those', () => {
    const ids = { ...NOBODY, imei: 'imei-1', androidId: 'android-1', idfa: 'idfa-1', oaid: 'oaid-1' };
    const [imei, androidId, idfa, origin] = hexOf(KEYS.ofClick(AI, ids, HOME));
    assert.deepEqual(hexOf(KEYS.ofSearch(AI, ids, HOME, false)), [imei, androidId, origin]);
    assert.deepEqual(hexOf(KEYS.ofSearch(AI, ids, HOME, true)), [idfa, origin]);
    assert.deepEqual(KEYS.ofSearch(AI, NOBODY, { ip: '203.0.113.9', userAgent: null }, true), []);
  });

  it('know a device by any of its ids, and by its visitor only where it has none', () => {
    const ids = activationIdsOf({
      u: 'u-1',
      imei: 'imei-1',
      adrid: 'android-1',
      oaid: 'oaid-1',
      ui: '0',
      iv: 'idfv-1',
    });
    assert.equal(KEYS.ofDevice(AI, ids).length, 4);
    const [visitor, ...rest] = hexOf(KEYS.ofDevice(AI, activationIdsOf({ u: 'u-1', imei: '__IMEI__' })));
    assert.deepEqual(rest, []);
    assert.ok(!hexOf(KEYS.ofDevice(AI, ids)).includes(visitor!));
  });
});
