/** Draws bars with their spread as SVG, from measured figures. Plain shapes and system fonts, so that it reads everywhere. */
import type { Spread } from '../measure/statistics.ts';

export type Bar = { readonly name: string; readonly spread: Spread };
export type BarGroup = { readonly label: string; readonly bars: readonly Bar[] };
export type BarChart = {
  readonly title: string;
  /** Of all groups. Default: each group's label names its own. */
  readonly unit?: string;
  readonly groups: readonly BarGroup[];
  /** Says whether the longest bar of each group fills the width, where groups cannot be compared. Default: no. */
  readonly hasOwnScales?: boolean;
};

const WIDTH = 820;
const NAMES_WIDTH = 190;
const FIGURES_WIDTH = 90;
const BARS_WIDTH = WIDTH - NAMES_WIDTH - FIGURES_WIDTH;
const BAR_HEIGHT = 18;
const BAR_STEP = 23;
const GROUP_HEAD = 30;
const TOP = 46;

/** Draws a chart. Every bar begins at 0; the thin line shows the least and the most of the rounds. */
export function drawBars({ title, unit, groups, hasOwnScales = false }: BarChart): string {
  const mostOfAll = mostOf(groups.flatMap(({ bars }) => bars));
  const head = unit === undefined ? title : `${title} (${unit})`;
  const pieces: string[] = [text(0, 18, head, 'font-weight="600" font-size="15"')];
  let top = TOP;
  for (const { label, bars } of groups) {
    pieces.push(text(0, top, label, 'font-weight="600"'));
    top += GROUP_HEAD - BAR_HEIGHT;
    const most = hasOwnScales ? mostOf(bars) : mostOfAll;
    const widthOf = (value: number): number => (value / most) * BARS_WIDTH;
    for (const { name, spread } of bars) {
      pieces.push(drawBar(name, spread, top, widthOf));
      top += BAR_STEP;
    }
    top += GROUP_HEAD;
  }
  const height = top - BAR_HEIGHT;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="-12 -6 ${WIDTH + 24} ${height + 6}" role="img" aria-label="${escaped(title)}"
  font-family="system-ui, sans-serif" font-size="13">
<rect x="-12" y="-6" width="${WIDTH + 24}" height="${height + 6}" fill="#ffffff"/>
${pieces.join('\n')}
</svg>
`;
}

function mostOf(bars: readonly Bar[]): number {
  return Math.max(...bars.map(({ spread }) => spread.most), Number.MIN_VALUE);
}

function drawBar(
  name: string,
  { median, least, most }: Spread,
  top: number,
  widthOf: (value: number) => number,
): string {
  const middle = top + BAR_HEIGHT / 2;
  const [from, until, end] = [least, most, median].map((value) => round(NAMES_WIDTH + widthOf(value)));
  const colour = /^tidegate/i.test(name) ? '#0f766e' : '#94a3b8';
  return [
    text(NAMES_WIDTH - 8, middle + 5, name, 'text-anchor="end"'),
    `<rect x="${NAMES_WIDTH}" y="${top}" width="${round(end! - NAMES_WIDTH)}" height="${BAR_HEIGHT}" fill="${colour}"/>`,
    `<line x1="${from!}" y1="${middle}" x2="${until!}" y2="${middle}" stroke="#0f172a" stroke-width="2"/>`,
    text(Math.max(end!, until!) + 8, middle + 5, shownFigure(median), ''),
  ].join('\n');
}

function text(x: number, y: number, content: string, attributes: string): string {
  const more = attributes === '' ? '' : ` ${attributes}`;
  return `<text x="${round(x)}" y="${round(y)}" fill="#0f172a"${more}>${escaped(content)}</text>`;
}

/** Shows a figure with three digits, the way it is read: 33,700 or 2.28 or 0.143. */
export function shownFigure(value: number): string {
  return Number(value.toPrecision(3)).toLocaleString('en-US', { maximumFractionDigits: 6 });
}

function escaped(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
