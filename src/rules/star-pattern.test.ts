import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { cpuMs } from '../../test/helpers/cpu-time.ts';
import { StarPattern } from './star-pattern.ts';

/** What a pattern means, by trying every way: right and slow. */
function meansIt(pattern: string, text: string): boolean {
  if (pattern === '') return text === '';
  if (!pattern.startsWith('*'))
    return text !== '' && text.startsWith(pattern.charAt(0)) && meansIt(pattern.slice(1), text.slice(1));
  return Array.from({ length: text.length + 1 }, (_, skipped) => skipped).some((skipped) =>
    meansIt(pattern.slice(1), text.slice(skipped)),
  );
}

/** Matches a text that stands between others. */
function takes(pattern: StarPattern, text: string): boolean {
  const bytes = Buffer.from(`a${text}a`);
  return pattern.matches(bytes, 1, bytes.length - 1);
}

describe('StarPattern', () => {
  const cases: readonly [pattern: string, text: string, fits: boolean][] = [
    ['/a/*', '/a/', true],
    ['/a/*', '/a/b/c', true],
    ['/a/*', '/a', false],
    ['/a/*', 'x/a/b', false],
    ['*', '', true],
    ['**', 'anything', true],
    ['*/buy', '/shop/buy', true],
    ['*/buy', '/shop/buy/', false],
    ['a*a', 'a', false],
    ['a*a', 'aa', true],
    ['a*b*c', 'a-b-b-c', true],
    ['a*b*c', 'a-c-b', false],
    ['*aab*', 'aaab', true],
    ['*ab*ab*', 'aab', false],
    ['(a+)+*', '(a+)+$', true],
    ['(a+)+*', 'aaaa', false],
    ['商*品', '商城的商品', true],
  ];
  for (const [pattern, text, fits] of cases) {
    it(`${fits ? 'takes' : 'does not take'} ${JSON.stringify(text)} for ${pattern}`, () => {
      assert.equal(takes(new StarPattern(pattern), text), fits);
    });
  }

  it('means the same as trying every way', () => {
    const letters = (alphabet: readonly string[], maxLength: number) =>
      fc.array(fc.constantFrom(...alphabet), { maxLength }).map((units) => units.join(''));
    fc.assert(
      fc.property(letters(['a', '苹', '苺', '*'], 8), letters(['a', '苹', '苺'], 10), (head, text) => {
        const pattern = `${head}*`;
        assert.equal(takes(new StarPattern(pattern), text), meansIt(pattern, text));
      }),
      { numRuns: 3_000 },
    );
  });

  it('finds pieces of any length, also where their beginning stands many times before', () => {
    const letters = fc.array(fc.constantFrom('a', 'a', 'a', 'b'), { maxLength: 200 }).map((units) => units.join(''));
    const place = fc.nat(199);
    fc.assert(
      fc.property(letters, place, place, letters, (text, a, b, other) => {
        const [first, second] = [text.slice(a, a + 40) || 'a', b % 3 === 0 ? other : text.slice(b, b + 90)];
        const end = text.indexOf(first) + first.length;
        const fits = end >= first.length && text.includes(second, end);
        assert.equal(takes(new StarPattern(`*${first}*${second}*`), text), fits);
      }),
      { numRuns: 3_000 },
    );
  });

  it('takes twice as long for a text twice as long, whatever the pattern', () => {
    const piece = `${'a'.repeat(500)}b`;
    const pattern = new StarPattern(`*${piece}*${piece}*`);
    const measure = (length: number): number => {
      const text = Buffer.from('a'.repeat(length));
      let bestMs = Infinity;
      for (let tries = 0; tries < 5; tries += 1) {
        const startMs = cpuMs();
        assert.equal(pattern.matches(text, 0, text.length), false);
        bestMs = Math.min(bestMs, cpuMs() - startMs);
      }
      return bestMs;
    };
    measure(200_000); // lets the code be compiled first
    // A search that begins anew at every character would need 500 times the steps: over a second for the million.
    assert.ok(measure(1_000_000) < 100, 'a million characters in less than 0.1 s');
  });
});
