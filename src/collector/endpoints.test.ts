/** How paths are read; test/transport.e2e.test.ts and test/bad-requests.e2e.test.ts ask a server. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { findEndpoint, rawQueryValue } from './endpoints.ts';

describe('findEndpoint', () => {
  const cases: readonly (readonly [path: string, ai: string, pathWord: string, isWeb: boolean])[] = [
    ['/v3/ai-1/web/pv', 'ai-1', 'web', true],
    ['/v3/ai-1/wap/pv', 'ai-1', 'wap', true],
    ['//v3/ai-1/web/pv', 'ai-1', 'web', true],
    ['/v3/ai-1/android/cstm', 'ai-1', 'android', false],
    ['/v3/ai-1/ios/imp', 'ai-1', 'ios', false],
    ['/v3/ai-1/harmonyos/other', 'ai-1', 'harmonyos', false],
    ['/v3/ai-1/minp/pv', 'ai-1', 'minp', false],
    ['/v3/ai-1/s2s/cstm/', 'ai-1', 's2s', false],
    ['/v2/ai-1/web/action', 'ai-1', 'web', true],
    ['/v2/ai-1/wap/pv/', 'ai-1', 'wap', true],
    ['/custom/ai-1/web/cstm', 'ai-1', 'web', true],
    ['/custom/ai-1/wap/events', 'ai-1', 'wap', true],
    ['/projects/ai-1/apps/wx0123/collect', 'ai-1', 'minp', false],
    ['/projects/ai-1/apps/com.example..app/collect/', 'ai-1', 'minp', false],
    ['/app/ai-1/android/ctvt', 'ai-1', 'android', false],
    ['/app/ai-1/ios/ctvt/', 'ai-1', 'ios', false],
    [`/v3/${'A'.repeat(64)}/web/..pv`, 'A'.repeat(64), 'web', true],
  ];
  for (const [path, ai, pathWord, isWeb] of cases) {
    it(`reads ${path}`, () => assert.deepEqual(findEndpoint(path), { ai, pathWord, isWeb }));
  }

  const others = [
    '',
    '/',
    '/v3',
    '/v2/insights/hour/ai/2026112300.json',
    '/v2/ai/s2s/cstm',
    '/v3/ai/web/pv\n',
    '/x/v3/ai/web/pv',
  ];
  for (const path of [
    ...others,
    '/v3/ai/web/..',
    '/v3/ai/web/./',
    '/projects/ai/apps/../collect',
    '/projects/ai/apps/./collect',
  ]) {
    it(`leaves ${JSON.stringify(path)} to others`, () => assert.equal(findEndpoint(path), undefined));
  }
});

describe('rawQueryValue', () => {
  const cases: readonly (readonly [query: string, name: string, value: string | undefined])[] = [
    ['stm=1', 'stm', '1'],
    ['a=b&stm=1&stm=2', 'stm', '1'],
    ['data=%5B%5D&stm=1', 'data', '%5B%5D'],
    ['data=a=b=', 'data', 'a=b='],
    ['xstm=1', 'stm', undefined],
    ['stm', 'stm', undefined],
    ['stm=', 'stm', ''],
    ['', 'stm', undefined],
  ];
  for (const [query, name, value] of cases) {
    it(`reads ${name} of ${JSON.stringify(query)}`, () => assert.equal(rawQueryValue(query, name), value));
  }
});
