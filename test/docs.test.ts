// The documents say what the code does: made parts are fresh, tables name the real columns and keys, and links lead somewhere.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { COLUMN_SOURCES, readSource, SEND_TIME, type RowContext } from '../src/events/column-sources.ts';
import { columnsOf, DATA_TYPES, headerLine, type DataType } from '../src/events/data-types.ts';
import { mapEvents } from '../src/events/map-events.ts';
import { PageDomains } from '../src/events/page-domains.ts';
import { NO_RULES } from '../src/rules/rule-set.ts';
import { UserAgents } from '../src/events/user-agent.ts';
import { renderDocs } from '../scripts/docs.ts';

const root = join(import.meta.dirname, '..');
const pages = [
  'README.md',
  'CHANGELOG.md',
  'CONTRIBUTING.md',
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join('docs', name)),
];

function read(page: string): string {
  return readFileSync(join(root, page), 'utf8');
}

/** Gives the page without its code, where a bracket is no link. */
function withoutCode(text: string): string {
  return text.replaceAll(/^```[\s\S]*?^```/gm, '').replaceAll(/`[^`\n]*`/g, '');
}

/** Gives the anchors that a page's headings have, as GitHub makes them. */
function anchorsOf(page: string): ReadonlySet<string> {
  const headings = read(page)
    .replaceAll(/^```[\s\S]*?^```/gm, '')
    .matchAll(/^#{1,6} (.+)$/gm);
  return new Set(
    [...headings].map(([, title]) =>
      title!
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}

describe('made documents', () => {
  for (const { path, isFresh } of renderDocs()) {
    it(`${path} is as its table says (else run: node scripts/docs.ts)`, () => assert.ok(isFresh));
  }
});

describe('links in the documents', () => {
  for (const page of pages) {
    it(`${page} links to files and headings that are there`, () => {
      for (const [, target] of withoutCode(read(page)).matchAll(/\]\(([^)\s]+)\)/g)) {
        if (/^[a-z]+:/.test(target!)) continue;
        const [file, anchor] = target!.split('#') as [string, string | undefined];
        const linked = file === '' ? page : join(dirname(page), file);
        assert.ok(existsSync(join(root, linked)), `${target} is not there`);
        if (anchor !== undefined) assert.ok(anchorsOf(linked).has(anchor), `${target} has no such heading`);
      }
    });
  }

  it('every document that a source file names is there', () => {
    for (const folder of ['src', 'scripts', 'bench', 'test']) {
      for (const name of readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })) {
        if (!name.endsWith('.ts') || name.startsWith('node_modules')) continue;
        for (const [doc] of read(join(folder, name)).matchAll(/docs\/[a-z0-9/-]+\.md/g)) {
          assert.ok(existsSync(join(root, doc)), `${folder}/${name} names ${doc}`);
        }
      }
    }
  });

  it('docs/decisions/README.md lists every decision', () => {
    const decisions = readdirSync(join(root, 'docs/decisions')).filter((name) => name !== 'README.md');
    const listed = [...read('docs/decisions/README.md').matchAll(/\]\((\d{4}-[^)]+)\)/g)].map(([, name]) => name);
    assert.deepEqual(listed, decisions.sort());
  });
});

describe('docs/package-format.md', () => {
  it('shows a row as the mapping makes it', () => {
    const example = /^```csv\n([^`]+)```/m.exec(read('docs/package-format.md'))?.[1];
    const variables = { item: '苹果, 红', note: 'a\nb' };
    const event = { t: 'cstm', n: 'buy', num: 2, var: variables, cs1: 'user-9', d: 'shop.example.com', p: '/prod/1' };
    const visit = { u: 'u-1', s: 's-1', tm: 1_795_472_582_823, ptm: 1_795_472_582_508 };
    const { rows } = mapEvents(
      {
        ai: '0123456789abcdef',
        pathWord: 'web',
        elements: [{ ...event, ...visit }],
        oversize: new Map(),
        ip: null,
        userAgent: null,
      },
      {
        pageDomains: new PageDomains(),
        userAgents: new UserAgents(),
        onCut: () => undefined,
        rulesOf: () => NO_RULES,
      },
    );
    assert.equal(example, `${headerLine('custom_event')}${rows[0]!.lineHead}1795477881352${rows[0]!.lineTail}`);
  });
});

describe('docs/mapping.md', () => {
  for (const dataType of DATA_TYPES) {
    const rows = tableOf(dataType);

    it(`names the columns of ${dataType} in their order`, () => {
      assert.deepEqual(
        rows.map(([column]) => column),
        columnsOf(dataType).map(({ name }) => `\`${name}\``),
      );
    });

    it(`says where ${dataType} reads its columns`, () => {
      for (const [cell, said] of rows) assert.match(said, sourceOf(dataType, cell.slice(1, -1)), cell);
    });
  }
});

/** Gives the rows of a data type's table: column and where from. */
function tableOf(dataType: DataType): readonly (readonly [string, string])[] {
  const section = read('docs/mapping.md').split(`\n### ${dataType}\n`)[1]?.split('\n#')[0] ?? '';
  return [...section.matchAll(/^\| (`[^|]+`) \| (.+) \|$/gm)].map(([, column, from]) => [column!, from!]);
}

const PAGE_TIME_MS = 1_000;

/** A row in which every value says where it is from. */
const probe = {
  ai: 'ai',
  event: new Proxy({}, { get: (_, key) => (key === 'ptm' ? PAGE_TIME_MS : `from \`${String(key)}\``) }),
  element: new Proxy({}, { get: (_, key) => `from \`e[].${String(key)}\`` }),
  timeMs: 'from `tm`',
  pathPlatform: null,
  isWeb: true,
  ip: 'from client address',
  userAgent: 'from user agent',
  operatingSystem: () => ({
    name: 'from system of the user agent, its name',
    nameAndVersion: 'from system of the user agent, name and version',
  }),
  domain: null,
  actionRequestId: 'an id',
  pageRequestId: 'an id',
  link: {
    linkId: "from the link's id",
    campaignId: "from the link's campaign",
    campaignName: "from the link's campaign, its name",
    channelId: "from the link's channel",
    channelName: "from the link's channel, its name",
    linkName: "from the link's name",
    variables: "from the link's variables",
  },
} as unknown as RowContext;

/** The system of the user agent is looked at for clicks, and on the paths of web. */
const rowOf = (dataType: DataType): RowContext => ({ ...probe, isWeb: dataType === 'ads_track_click' });

/** Tries out where a column is read from, and gives what the page must say of it. */
function sourceOf(dataType: DataType, column: string): RegExp {
  if (dataType === 'action_tag') return column === 'sendTime' ? /^send time of the action$/ : /^made from /;
  const value =
    (COLUMN_SOURCES[dataType]?.[column] ? readSource(COLUMN_SOURCES[dataType][column], rowOf(dataType)) : null) ?? null;
  if (value === null) return /^–$/;
  if (value === SEND_TIME) return /^send time$/;
  if (value === PAGE_TIME_MS) return /^`ptm`$/;
  const [, source] = /^from (.+)$/.exec(typeof value === 'string' ? value : '') ?? [];
  return source === undefined ? /^made from / : new RegExp(`(^|else )${RegExp.escape(source)}(, else .*)?$`);
}
