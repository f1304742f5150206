/** What docs/performance.md shows of each part: the columns of its table, which cases, and its graphs. */

/** A column: a figure of the measurements and what it is called. */
export type FigureColumn = { readonly figure: string; readonly head: string };

export type GraphView = {
  readonly file: string;
  readonly title: string;
  readonly figure: string;
  readonly unit: string;
  /** Contestants, in their order; one that was not measured is left out. Default: all. */
  readonly contestants?: readonly string[];
  readonly cases: Readonly<Record<string, readonly (number | string)[]>>;
};

export type PartView = {
  readonly part: string;
  readonly columns: readonly FigureColumn[];
  /** Cases of the table: those whose values are all among these. Default: all. */
  readonly cases?: Readonly<Record<string, readonly (number | string)[]>>;
  readonly graphs: readonly GraphView[];
};

const PARSERS = ['fastify', 'tidegate', 'tidegate, 2 collectors'];
const RECEIVERS = [
  'fastify',
  'postgres',
  'postgres, no row twice',
  'duckdb',
  'chdb',
  'tidegate',
  'tidegate, 2 collectors',
];
const TIMES: FigureColumn[] = [
  { figure: 'p50Ms', head: 'p50, ms' },
  { figure: 'p99Ms', head: 'p99, ms' },
];

export const PART_VIEWS: readonly PartView[] = [
  {
    part: 'ingest',
    columns: [
      { figure: 'eventsPerSecond', head: 'events/s' },
      { figure: 'cpuMicrosPerEvent', head: 'CPU µs per event' },
      ...TIMES,
      { figure: 'p999Ms', head: 'p999, ms' },
      { figure: 'clientCoreShare', head: "client's core" },
    ],
    cases: { connections: [64, 256] },
    graphs: [
      {
        file: 'ingest-cpu',
        title: 'Events taken for each second of CPU time, 64 connections',
        figure: 'eventsPerCpuSecond',
        unit: 'events',
        contestants: RECEIVERS,
        cases: { connections: [64], rate: ['full'] },
      },
      {
        file: 'ingest-connections',
        title: 'Events a second, 20 events a request',
        figure: 'eventsPerSecond',
        unit: 'events/s',
        contestants: PARSERS,
        cases: { events: [20], rate: ['full'] },
      },
      {
        file: 'ingest-p99',
        title: '99 of 100 requests of 20 events are answered within',
        figure: 'p99Ms',
        unit: 'ms',
        contestants: PARSERS,
        cases: { events: [20] },
      },
    ],
  },
  {
    part: 'close',
    columns: [
      { figure: 'wallSeconds', head: 'seconds' },
      { figure: 'cpuSeconds', head: 'CPU seconds' },
      { figure: 'peakMegabytes', head: 'most memory, MB' },
      { figure: 'closeMicrosPerRow', head: 'µs per row' },
      { figure: 'floorSeconds', head: 'seconds with copying the table' },
    ],
    graphs: [
      {
        file: 'close',
        title: 'From the end of the hour to its packages',
        figure: 'wallSeconds',
        unit: 'seconds',
        cases: { traffic: ['action'], rows: [5_000_000] },
      },
      {
        file: 'close-growth',
        title: 'Time of a row in the close',
        figure: 'closeMicrosPerRow',
        unit: 'µs',
        contestants: ['tidegate'],
        cases: { traffic: ['action'] },
      },
      {
        file: 'close-memory',
        title: 'Most memory of the server in the close',
        figure: 'peakMegabytes',
        unit: 'MB',
        contestants: ['tidegate'],
        cases: {},
      },
    ],
  },
  {
    part: 'life',
    columns: [
      { figure: 'ingestRowsPerSecond', head: 'ingest, rows/s' },
      { figure: 'closeSeconds', head: 'end of hour to FINISHED, s' },
      { figure: 'cpuMicrosPerRow', head: 'CPU µs per row' },
      { figure: 'wallSeconds', head: 'seconds' },
      { figure: 'peakMegabytes', head: 'most memory, MB' },
    ],
    graphs: [],
  },
  {
    part: 'download',
    columns: [
      { figure: 'megabytesPerSecond', head: 'MB/s' },
      { figure: 'cpuSecondsPerGigabyte', head: 'CPU seconds per GB' },
    ],
    graphs: [{ file: 'download', title: 'Bytes a second', figure: 'megabytesPerSecond', unit: 'MB/s', cases: {} }],
  },
  {
    part: 'poll',
    columns: [
      { figure: 'callsPerSecond', head: 'calls/s' },
      { figure: 'cpuMicrosPerCall', head: 'CPU µs per call' },
      ...TIMES,
    ],
    graphs: [{ file: 'poll', title: 'Calls for a day', figure: 'callsPerSecond', unit: 'calls/s', cases: {} }],
  },
  {
    part: 'growth',
    columns: [
      { figure: 'cpuMicrosPerRow', head: 'CPU µs per row' },
      { figure: 'arrivalCpuMicrosPerRow', head: 'until it is stored' },
      { figure: 'closeMicrosPerRow', head: 'close, µs per row' },
      { figure: 'microsPerRow', head: 'import, µs per row' },
      { figure: 'secondsPerGigabyte', head: 's per GB' },
      { figure: 'microsPerPackage', head: 'µs per package' },
      { figure: 'peakMegabytes', head: 'most memory, MB' },
    ],
    graphs: [
      {
        file: 'growth',
        title: 'CPU time of a row',
        figure: 'cpuMicrosPerRow',
        unit: 'µs',
        contestants: ['tidegate', 'tidegate import'],
        cases: {},
      },
    ],
  },
  {
    part: 'install',
    columns: [
      { figure: 'firstPackageSeconds', head: 'to the first package, s' },
      { figure: 'servingSeconds', head: 'to its keys, s' },
      { figure: 'installedMegabytes', head: 'installed, MB' },
      { figure: 'packedMegabytes', head: 'packed, MB' },
      { figure: 'installSeconds', head: 'installing, s' },
    ],
    graphs: [],
  },
];
