import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { csvField } from './csv.ts';
import { findField } from './csv-line.ts';

/** Finds a field of a line that lies in the middle of a larger buffer, as lines do. */
function fieldOf(line: string, place: number): string | undefined {
  const before = Buffer.from('x,"\\",y\n');
  const bytes = Buffer.concat([before, Buffer.from(line), Buffer.from('next,"line\n')]);
  const found = findField(bytes, before.length, before.length + Buffer.byteLength(line), place);
  return found && bytes.toString('utf8', found.start, found.end);
}

describe('findField', () => {
  const cases: readonly (readonly [line: string, fields: readonly string[]])[] = [
    ['a,b,c\n', ['a', 'b', 'c']],
    ['\n', ['']],
    [',\n', ['', '']],
    [',,\n', ['', '', '']],
    ['"",""\n', ['""', '""']],
    ['"a,b",c\n', ['"a,b"', 'c']],
    ['"a\\",b",c\n', ['"a\\",b"', 'c']],
    ['"a\\\\",b\n', ['"a\\\\"', 'b']],
    ['"\\\\\\"",b\n', ['"\\\\\\""', 'b']],
    ['"a\nb",c\n', ['"a\nb"', 'c']],
    ['苹果,"🍎,",\n', ['苹果', '"🍎,"', '']],
  ];
  for (const [line, fields] of cases) {
    it(`finds the fields of ${JSON.stringify(line)}`, () => {
      assert.deepEqual(
        fields.map((_, place) => fieldOf(line, place)),
        fields,
      );
      assert.equal(fieldOf(line, fields.length), undefined);
    });
  }

  it('finds every field that csvField writes, nulls among them', () => {
    const text = fc.string({ unit: fc.constantFrom('a', ',', '"', '\\', '\n', '\r', ' ', '苹', '🍎'), maxLength: 12 });
    fc.assert(
      fc.property(fc.array(fc.option(text), { minLength: 1, maxLength: 8 }), (values) => {
        const fields = values.map((value) => (value === null ? '' : csvField(value)));
        const line = `${fields.join(',')}\n`;
        assert.deepEqual(
          fields.map((_, place) => fieldOf(line, place)),
          fields,
        );
        assert.equal(fieldOf(line, fields.length), undefined);
      }),
    );
  });
});
