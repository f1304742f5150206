/**
 * Measures what reading and mapping an event costs, by the two ways that there are: bytes to bytes, and by values.
 *
 *   node bench/mapping.ts
 *
 * The events are the clicks of the ingest part, 20 a body. Both ways end in the bytes that are stored. JSON.parse alone stands beside
 * them. They take turns in every round; shown is the least of the rounds, in microseconds an event.
 */
import { mapEvents, type Mapper } from '../src/events/map-events.ts';
import { TapeMapper } from '../src/events/map-tape.ts';
import { PageDomains } from '../src/events/page-domains.ts';
import { UserAgents } from '../src/events/user-agent.ts';
import { NO_RULES } from '../src/rules/rule-set.ts';
import { BatchEncoder } from '../src/store/hour-log/record-codec.ts';
import { parseElements } from '../src/wire/json-array.ts';
import { JsonTape } from '../src/wire/json-tape.ts';
import { DEFAULT_WIRE_LIMITS } from '../src/wire/wire-limits.ts';
import { actionBodies } from './action-traffic.ts';

const EVENTS = 100_000;
const EVENTS_PER_BODY = 20;
const ROUNDS = 10;
const REQUEST = { ai: '0123456789abcdef', pathWord: 'web', ip: '192.0.2.1', userAgent: 'Mozilla/5.0' };

const mapper: Mapper = {
  pageDomains: new PageDomains(),
  userAgents: new UserAgents(),
  onCut: () => undefined,
  rulesOf: () => NO_RULES,
};
const bodies = [...actionBodies({ rows: EVENTS, eventsPerBody: EVENTS_PER_BODY, startMs: 1.8e12, seed: 1 })];
const encoder = new BatchEncoder(128 * 1024 * 1024);
const tape = new JsonTape();
const tapeMapper = new TapeMapper(tape, mapper);

const ways: Readonly<Record<string, (body: Buffer) => void>> = {
  'JSON.parse alone': (body) => void JSON.parse(body.toString()),
  'the tape alone': (body) => void tape.read(body, DEFAULT_WIRE_LIMITS),
  'by values': (body) => {
    const { values, oversize } = parseElements(body, DEFAULT_WIRE_LIMITS);
    encoder.encode(mapEvents({ ...REQUEST, elements: values, oversize }, mapper));
  },
  'bytes to bytes': (body) => {
    if (!tape.read(body, DEFAULT_WIRE_LIMITS)) throw new Error('a body is not on the tape');
    encoder.encode(tapeMapper.map(REQUEST));
  },
};
const least = new Map<string, number>();
for (let round = 0; round < ROUNDS; round += 1) {
  for (const [name, run] of Object.entries(ways)) {
    const startMs = performance.now();
    for (const body of bodies) run(body);
    const micros = ((performance.now() - startMs) * 1_000) / EVENTS;
    least.set(name, Math.min(least.get(name) ?? Infinity, micros));
  }
}
for (const [name, micros] of least) console.log(`${name}: ${micros.toFixed(2)} µs an event`);
