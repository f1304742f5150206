/**
 * One picture for who reads no tables: how fast Tidegate is against what they would use instead, from the figures of several parts.
 *
 * Each group has a scale and a unit of its own. What was not measured is left out.
 */
import { PUBLISHED_FOLDER, readResult } from '../measure/results.ts';
import { spreadOfFigure, type Chosen } from '../measure/statistics.ts';
import { drawBars, type BarGroup } from './chart.ts';

type Panel = {
  readonly part: string;
  readonly label: string;
  readonly figure: string;
  readonly case: NonNullable<Chosen['case']>;
  /** What each contestant is called here, in their order. */
  readonly names: Readonly<Record<string, string>>;
};

const PANELS: readonly Panel[] = [
  {
    part: 'ingest',
    label: 'Events taken and stored for each second of CPU time; longer is better',
    figure: 'eventsPerCpuSecond',
    case: { events: 20, connections: 64, rate: 'full' },
    names: {
      tidegate: 'Tidegate',
      postgres: 'PostgreSQL COPY',
      duckdb: 'DuckDB appender',
      chdb: 'ClickHouse (chdb)',
      fastify: 'Fastify, stores nothing',
    },
  },
  {
    part: 'close',
    label: 'Seconds from the end of an hour with 5 million rows to its sorted gzip CSV; shorter is better',
    figure: 'wallSeconds',
    case: { rows: 5_000_000, traffic: 'action' },
    names: {
      tidegate: 'Tidegate',
      'sort | igzip -1': 'sort | igzip -1',
      'DuckDB COPY gzip': 'DuckDB COPY',
      'chdb OUTFILE gzip': 'ClickHouse (chdb)',
      'igzip -1': 'igzip -1 of the result',
    },
  },
  {
    part: 'download',
    label: 'Megabytes a second that one client downloads; longer is better',
    figure: 'megabytesPerSecond',
    case: { clients: 1, way: 'whole' },
    names: { tidegate: 'Tidegate', nginx: 'nginx, the same file' },
  },
];

/** Draws the picture; undefined when none of it was measured. */
export function drawOverview(folder = PUBLISHED_FOLDER): string | undefined {
  const groups = PANELS.map((panel) => groupOf(panel, folder)).filter(({ bars }) => bars.length > 1);
  if (groups.length === 0) return undefined;
  return drawBars({ title: 'Against what one would use instead', groups, hasOwnScales: true });
}

function groupOf({ part, label, figure, case: asked, names }: Panel, folder: string): BarGroup {
  const measurements = readResult(folder, part)?.measurements ?? [];
  const bars = Object.entries(names).flatMap(([contestant, name]) => {
    const spread = spreadOfFigure(measurements, { contestant, case: asked }, figure);
    return spread ? [{ name, spread }] : [];
  });
  return { label, bars };
}
