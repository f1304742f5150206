import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { PageDomains } from './page-domains.ts';

describe('PageDomains', () => {
  it('remembers the domain of each page, the last that was said', () => {
    const domains = new PageDomains();
    domains.set('page-1', 'a');
    domains.set('page-2', '');
    domains.set('page-1', 'b');
    assert.deepEqual([domains.get('page-1'), domains.get('page-2'), domains.get('page-3')], ['b', '', undefined]);
  });

  it('forgets the pages that were not asked for the longest', () => {
    const domains = new PageDomains(2);
    domains.set('page-1', 'a');
    domains.set('page-2', 'b');
    domains.get('page-1');
    domains.set('page-3', 'c');
    assert.deepEqual([domains.get('page-1'), domains.get('page-2'), domains.get('page-3')], ['a', undefined, 'c']);
  });

  it('keeps as much of a domain as its column is wide', () => {
    const domains = new PageDomains();
    domains.set('page', '🍎'.repeat(150));
    assert.equal(domains.get('page'), '🍎'.repeat(100));
  });

  it('holds no memory for the rest of a long domain', () => {
    setFlagsFromString('--expose-gc');
    const collectGarbage = runInNewContext('gc') as () => void;
    const domains = new PageDomains();
    collectGarbage();
    const before = process.memoryUsage().heapUsed;
    for (let page = 0; page < 100; page += 1) {
      domains.set(`page-${page}`, JSON.parse(`"${String(page % 10).repeat(1024 * 1024)}"`) as string);
    }
    collectGarbage();
    assert.ok(process.memoryUsage().heapUsed - before < 20 * 1024 * 1024);
    assert.equal(domains.get('page-5'), '5'.repeat(100));
  });
});
