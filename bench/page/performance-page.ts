/**
 * Makes the measured parts of docs/performance.md, and its graphs, from the figures kept in bench/results/.
 *
 * Called by scripts/docs.ts. Measures nothing: a part without kept figures says so.
 */
import { isReached, measureGoals } from '../measure/goals.ts';
import { caseName, casesOf, measureRatios } from '../measure/ratios.ts';
import { PUBLISHED_FOLDER, readResult, type Measurement, type PartResult } from '../measure/results.ts';
import { spreadOfFigure, type Spread } from '../measure/statistics.ts';
import { drawBars, shownFigure } from './chart.ts';
import { drawOverview } from './overview.ts';
import { PART_VIEWS, type GraphView, type PartView } from './part-views.ts';

type WantedCases = NonNullable<PartView['cases']>;

/** Gives the text of each measured block of the page, by the block's name. */
export function performanceBlocks(folder = PUBLISHED_FOLDER): Readonly<Record<string, () => string>> {
  return Object.fromEntries(PART_VIEWS.map((view) => [`bench ${view.part}`, () => partText(view, folder)]));
}

/** Gives the text of each graph whose figures are kept, by its path. */
export function performanceGraphs(folder = PUBLISHED_FOLDER): Readonly<Record<string, () => string>> {
  const graphs = PART_VIEWS.flatMap(({ part, graphs }) => {
    const result = readResult(folder, part);
    return result ? graphs.map((graph) => [pathOf(graph), () => graphText(graph, result)] as const) : [];
  });
  const overview = drawOverview(folder);
  return Object.fromEntries([...graphs, ...(overview === undefined ? [] : [[OVERVIEW, () => overview] as const])]);
}

const OVERVIEW = 'docs/performance/overview.svg';

function pathOf({ file }: GraphView): string {
  return `docs/performance/${file}.svg`;
}

function partText(view: PartView, folder: string): string {
  const result = readResult(folder, view.part);
  if (!result) return `No figures are kept yet: \`npm run bench -- ${view.part}\`.`;
  const graphs = view.graphs.map((graph) => `![${graph.title}](performance/${graph.file}.svg)`);
  return [machineText(result), ...graphs, figureTable(view, result), goalTable(result)]
    .filter((piece) => piece !== '')
    .join('\n\n');
}

function machineText({ command, takenAt, machine, measurements }: PartResult): string {
  const rounds = Math.max(...measurements.map(({ round }) => round));
  const { processor, cores, memoryGigabytes, system, node } = machine;
  const medians =
    rounds === 1 ? 'one round.' : `medians of up to ${rounds} rounds, in brackets the least and the most.`;
  return `\`${command}\`, ${takenAt.slice(0, 10)}: ${processor}, ${cores} cores, ${memoryGigabytes} GB, ${system}, Node ${node.slice(1)};
${medians}`;
}

function figureTable({ columns, cases = {} }: PartView, { measurements }: PartResult): string {
  const contestants = contestantsOf(measurements);
  const named = (contestant: string): readonly Measurement['case'][] =>
    casesOf(measurements, { contestant }).filter((asked) => isAmong(asked, cases));
  const allCases = [...new Map(contestants.flatMap(named).map((asked) => [caseName(asked), asked])).values()];
  const rows = allCases.flatMap((asked) =>
    contestants
      .filter((contestant) => named(contestant).some((each) => caseName(each) === caseName(asked)))
      .map((contestant) => [
        caseName(asked),
        contestant,
        ...columns.map(({ figure }) => shown(spreadOfFigure(measurements, { contestant, case: asked }, figure))),
      ]),
  );
  return table(['case', 'who', ...columns.map(({ head }) => head)], rows);
}

/** The ratios and figures that have something to reach. */
function goalTable({ part, measurements }: PartResult): string {
  const ratios = measureRatios(part, measurements).map(({ ratio, caseName: name, spread }) =>
    goalRow(ratio.name, name, spread, ratio),
  );
  const figures = measureGoals(part, measurements).map(({ goal, caseName: name, spread }) =>
    goalRow(goal.name, name, spread, goal),
  );
  const rows = [...ratios, ...figures];
  return rows.length === 0 ? '' : table(['what', 'case', 'measured', 'goal', 'reached'], rows);
}

function goalRow(
  name: string,
  asked: string,
  spread: Spread,
  { better, goal }: { readonly better: 'more' | 'less'; readonly goal?: number },
): string[] {
  if (goal === undefined) return [name, asked, shown(spread), '', ''];
  const reach = `${better === 'more' ? 'at least' : 'at most'} ${shownFigure(goal)}`;
  return [name, asked, shown(spread), reach, isReached(spread.median, { better, goal }) ? 'yes' : 'no'];
}

function graphText({ title, unit, figure, contestants, cases }: GraphView, { measurements }: PartResult): string {
  const names = contestants ?? contestantsOf(measurements);
  const asked = [
    ...new Map(
      measurements
        .filter((each) => isAmong(each.case, cases) && names.includes(each.contestant) && figure in each.figures)
        .map((each) => [caseName(each.case), each.case]),
    ).values(),
  ];
  const groups = asked.map((one) => ({
    label: caseName(one),
    bars: names.flatMap((name) => {
      const spread = spreadOfFigure(measurements, { contestant: name, case: one }, figure);
      return spread ? [{ name, spread }] : [];
    }),
  }));
  return drawBars({ title, unit, groups });
}

function contestantsOf(measurements: readonly Measurement[]): readonly string[] {
  return [...new Set(measurements.map(({ contestant }) => contestant))];
}

function isAmong(asked: Measurement['case'], wanted: WantedCases): boolean {
  return Object.entries(wanted).every(([name, values]) => values.includes(asked[name]!));
}

function shown(spread: Spread | undefined): string {
  if (!spread) return '';
  const { median, least, most, rounds } = spread;
  const figure = shownFigure(median);
  return rounds === 1 ? figure : `${figure} (${shownFigure(least)}–${shownFigure(most)})`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}
