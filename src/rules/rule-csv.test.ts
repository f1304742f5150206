import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseRuleCsv } from './rule-csv.ts';
import { rule } from './rules.test-helper.ts';

const without = ({ ruleId: _ruleId, ...draft }: ReturnType<typeof rule>): object => draft;

describe('parseRuleCsv', () => {
  it('reads what spreadsheets write: quotes, doubled quotes, line breaks, CRLF, a byte order mark', () => {
    const text =
      '\uFEFFtype,name,value,index\r\nclck,"Buy, now","say ""hi""\nthere",2\r\n\r\npage,Home,,\r\nsbmt,"",x,\r\n'.replace(
        'sbmt,"",x,\r\n',
        '',
      );
    assert.deepEqual(parseRuleCsv(text), [
      without(rule('', { name: 'Buy, now', value: 'say "hi"\nthere', index: 2 })),
      without(rule('', { name: 'Home', type: 'page' })),
    ]);
  });

  it('reads a whole header, ids, and a last line that does not end', () => {
    const text =
      'ruleId,name,type,domain,path,query,xpath,index,value,href\n0000000a,n,clck,d,/p/*,a=1,/x,1,v,/h\n,m,chng,,,,,,,';
    const all = { name: 'n', domain: 'd', path: '/p/*', query: 'a=1', xpath: '/x', index: 1, value: 'v', href: '/h' };
    assert.deepEqual(parseRuleCsv(text), [rule('0000000a', all), without(rule('', { name: 'm', type: 'chng' }))]);
  });

  const refused: readonly [text: string, why: RegExp][] = [
    ['', /Line 1: the header must be ruleId,name,type,domain,path,query,xpath,index,value,href/],
    ['name;type\na;clck\n', /Line 1: the header must be/],
    ['eventName,eventType\na,clck\n', /Line 1: the header must be/],
    ['name,type,name\na,clck,b\n', /Line 1: the header must be/],
    ['name\na\n', /Line 1: the header must be/],
    ['name,type\na,clck\nb\n', /Line 3: it has 1 fields, and the header has 2/],
    ['name,type\n"a\nb",clck\n', /Line 2: The rule cannot be taken: its name holds a tab, a line break/],
    ['name,type,value\na,clck,"x\ny"\nb,imp,\n', /Line 4: The rule cannot be taken: its type/],
    ['name,type\n"a,clck\n', /Line 2: a quote is not closed/],
    ['name,type\n"a"b,clck\n', /Line 2: there is something behind a closing quote/],
    ['ruleId,name,type\nXYZ,a,clck\n', /Line 2: its ruleId is not 8 hex digits/],
    ['ruleId,name,type\n0000000a,a,clck\n0000000a,b,clck\n', /Line 3: its ruleId stands in line 2 too/],
  ];
  for (const [text, why] of refused) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      assert.throws(() => parseRuleCsv(text), { code: 'import_invalid', message: why });
    });
  }
});
