import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { UserAgents } from './user-agent.ts';

describe('UserAgents', () => {
  const mozilla = 'Mozilla/5.0';
  const cases: readonly (readonly [userAgent: string | null, name: string | null, nameAndVersion: string | null])[] = [
    [`${mozilla} (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/120.0 Safari/537.36`, 'Windows', 'Windows 10'],
    [`${mozilla} (Windows NT 6.1; WOW64; Trident/7.0; rv:11.0) like Gecko`, 'Windows', 'Windows 7'],
    [`${mozilla} (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Safari/605.1.15`, 'Mac OS', 'Mac OS 10.15.7'],
    [`${mozilla} (iPhone; CPU iPhone OS 13_2_3 like Mac OS X) AppleWebKit/605.1.15`, 'iOS', 'iOS 13.2.3'],
    [`${mozilla} (Linux; Android 10; LIO-AN00) AppleWebKit/537.36 Mobile Safari/537.36`, 'Android', 'Android 10'],
    [`${mozilla} (X11; Ubuntu; Linux x86_64; rv:120.0) Gecko/20100101 Firefox/120.0`, 'Ubuntu', 'Ubuntu'],
    ['curl/8.4.0', null, null],
    ['中文', null, null],
    ['', null, null],
    [null, null, null],
  ];
  for (const [userAgent, name, nameAndVersion] of cases) {
    it(`reads ${nameAndVersion ?? 'nothing'} from ${JSON.stringify(userAgent)}, the second time as well`, () => {
      const userAgents = new UserAgents();
      for (let time = 0; time < 2; time += 1) {
        assert.deepEqual(userAgents.operatingSystemOf(userAgent), { name, nameAndVersion });
      }
    });
  }

  it('looks no further than the column is wide', () => {
    const padded = `${'x'.repeat(512)} (Windows NT 10.0)`;
    assert.equal(new UserAgents().operatingSystemOf(padded).name, null);
  });
});
