import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { DATA_TYPES } from '../events/data-types.ts';
import { parseUtcHour } from '../events/hour.ts';
import { LEGACY_TABLES } from '../events/legacy-tables.ts';
import { LinkSigner, resemblesLink } from './signed-link.ts';

const LINK_KEY = randomBytes(32);
const NAME = 'part-00000-0f8fad5b-d9cb-469f-a165-70867728950e-c000.csv.gz';
const HOUR = parseUtcHour('201807010000')!;
const LINKED = { ai: '0a1b2c3d4e5f6789', dataType: 'custom_event', hour: HOUR, revision: 1, name: NAME } as const;
const EXPIRES = 1_530_405_300;
const BASE = 'https://export.example.com';

const signer = new LinkSigner({ linkKey: LINK_KEY });
const link = signer.build({ base: BASE, linked: LINKED, expiresAtSeconds: EXPIRES });
const target = link.slice(BASE.length);

describe('LinkSigner', () => {
  test('builds the shape that clients parse', () => {
    assert.match(
      link,
      /^https:\/\/export\.example\.com\/[0-9a-f]{27}_0a1b2c3d4e5f6789_custom_event_v2_201807010000\/part-00000-[0-9a-f-]{36}-c000\.csv\.gz\?Expires=1530405300&Signature=[0-9a-f]{64}$/,
    );
    assert.equal(link.split('part').length, 2);
  });

  test('keeps the folder where clients cut, for every base short enough', () => {
    for (let baseLength = 1; baseLength <= 120; baseLength += 1) {
      const built = signer.build({ base: 'h'.repeat(baseLength), linked: LINKED, expiresAtSeconds: EXPIRES });
      const prefix = built.slice(baseLength + 1, built.indexOf('_'));
      assert.match(prefix, /^[0-9a-f]{4,50}$/);
      const cutAt = baseLength + 1 + prefix.length;
      if (baseLength + 1 <= 50) assert.ok(cutAt >= 46 && cutAt <= 62, `${baseLength}: ${cutAt}`);
      else assert.equal(prefix.length, Math.max(4, 54 - baseLength - 1));
    }
  });

  test('reads back what it built, whatever the ai and the data type', () => {
    const ai = fc.stringMatching(/^[0-9A-Za-z-]{1,64}$/);
    fc.assert(
      fc.property(ai, fc.constantFrom(...DATA_TYPES), fc.webUrl(), (someAi, dataType, base) => {
        const linked = { ...LINKED, ai: someAi, dataType };
        const built = signer.build({ base, linked, expiresAtSeconds: EXPIRES });
        assert.deepEqual(signer.check(built.slice(base.length), 0), {
          status: 'valid',
          linked: { ai: someAi, dataType, hour: HOUR, name: NAME },
        });
      }),
    );
  });

  test('leaves v2 out of the links of the 1.0 API, and takes none of the two for the other', () => {
    for (const dataType of LEGACY_TABLES) {
      const linked = { ...LINKED, api: '1.0', dataType } as const;
      const built = signer.build({ base: BASE, linked, expiresAtSeconds: EXPIRES });
      assert.match(built, new RegExp(`/[0-9a-f]{27}_${LINKED.ai}_${dataType}_201807010000/part-`));
      const { revision: _revision, ...rest } = linked;
      assert.deepEqual(signer.check(built.slice(BASE.length), 0), { status: 'valid', linked: rest });
      const other = built.slice(BASE.length).replace('_201807010000', '_v2_201807010000');
      assert.equal(signer.check(other, 0).status, 'refused');
    }
    assert.equal(signer.check(target.replace('_v2', ''), 0).status, 'refused');
    assert.ok(resemblesLink(target.replace('_v2', '').replace(/\?.*/, '')));
  });

  test('takes a link to the end of its last second and not longer', () => {
    assert.equal(signer.check(target, EXPIRES * 1000).status, 'valid');
    assert.equal(signer.check(target, EXPIRES * 1000 + 999).status, 'valid');
    assert.equal(signer.check(target, EXPIRES * 1000 + 1000).status, 'expired');
  });

  test('refuses a link with any one character changed, added or left out', () => {
    const now = EXPIRES * 1000;
    for (let at = 0; at <= target.length; at += 1) {
      for (const character of ['0', 'f', 'F', 'a', '_', '/', '?', '&', '%', '.', ' ', 'é']) {
        const head = target.slice(0, at);
        const changed = `${head}${character}${target.slice(at + 1)}`;
        if (changed !== target) assert.equal(signer.check(changed, now).status, 'refused', changed);
        assert.equal(signer.check(`${head}${character}${target.slice(at)}`, now).status, 'refused');
      }
      if (at < target.length) {
        assert.equal(signer.check(target.slice(0, at) + target.slice(at + 1), now).status, 'refused');
      }
    }
  });

  test('refuses the same link written in another way', () => {
    const [path, query] = target.split('?') as [string, string];
    const [expires, signature] = query.split('&') as [string, string];
    const others = {
      'another order': `${path}?${signature}&${expires}`,
      'a parameter more': `${target}&x=1`,
      'a parameter twice': `${path}?${expires}&${expires}&${signature}`,
      'an empty parameter': `${path}?${expires}&&${signature}`,
      'an upper-case signature': `${path}?${expires}&Signature=${signature.slice(10).toUpperCase()}`,
      'a percent-encoded letter': target.replace('part', '%70art'),
      'a percent-encoded hyphen': target.replace('part-', 'part%2D'),
      'a zero before Expires': target.replace('Expires=', 'Expires=0'),
      'a later expiry': target.replace(String(EXPIRES), String(EXPIRES + 1)),
      'two slashes': `/${target}`,
      'a fragment': `${target}#x`,
      'a line break': `${target}\n`,
      'a whole URL': link,
      nothing: '',
    };
    for (const [what, other] of Object.entries(others)) {
      assert.equal(signer.check(other, EXPIRES * 1000).status, 'refused', what);
    }
  });

  test('refuses a link that another key signed', () => {
    const other = new LinkSigner({ linkKey: randomBytes(32) });
    assert.equal(other.check(target, EXPIRES * 1000).status, 'refused');
  });

  test('gives another folder to another revision', () => {
    const second = signer.build({ base: BASE, linked: { ...LINKED, revision: 2 }, expiresAtSeconds: EXPIRES });
    assert.notEqual(second.split('_')[0], link.split('_')[0]);
  });
});

describe('resemblesLink', () => {
  test('knows a link with any one character changed, and no other path', () => {
    for (let at = 0; at < target.length; at += 1) {
      assert.ok(resemblesLink(`${target.slice(0, at)}~${target.slice(at + 1)}`), String(at));
    }
    for (const path of ['/', '/auth/token', '/v2/insights/hour/page/x/2018070100.json?expire=5', '/favicon.ico']) {
      assert.ok(!resemblesLink(path), path);
    }
  });
});
