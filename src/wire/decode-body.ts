/**
 * Turns the body of an upload into the elements of its JSON array, whatever coding it came in.
 *
 * Nothing here knows what an event is. The caller has the path and the headers; it hands over the few that hint at the coding.
 * Each candidate coding is decoded and parsed; the first one that gives a JSON array or object is the body's, so that a body in a
 * known coding is decoded once and parsed once.
 *
 * Cost is bounded for hostile bodies too: no decode holds more than maxDecodedBytes, no two are held at once, and a body that
 * decodes well in one coding but is no JSON is tried in others only until twice maxDecodedBytes have come out.
 */
import { AppError } from '../errors/app-error.ts';
import { CODING_NAMES, type BodyCoding, type WireBody } from './body-coding.ts';
import { listCandidates, type Candidate } from './coding-candidates.ts';
import { parseElements, type JsonElements } from './json-array.ts';
import type { JsonTape } from './json-tape.ts';
import { percentDecode } from './percent-decode.ts';
import type { WireLimits } from './wire-limits.ts';

/** What a body held. */
export type DecodedBody = JsonElements & {
  readonly coding: BodyCoding;
  /** Bytes of the JSON text. */
  readonly decodedBytes: number;
  /** Whether the elements are on the tape; then `values` is empty. */
  readonly isOnTape?: true;
};

const ON_TAPE = { values: [], oversize: new Map<number, never>(), isOnTape: true } as const;

/** Told the bytes that each tried coding decoded to, also where the body is refused then: they are what it costs. */
export type Spend = (decodedBytes: number) => void;

type Failure = { readonly candidate: Candidate; readonly error: AppError };

/**
 * Decodes and parses a body. With a tape its elements are left there where they can be (json-tape.ts).
 * @throws AppError too_large (wire bytes, decoded bytes, elements or values), too_deep, or undecodable_body with what was tried
 * and why it failed. The message never holds a piece of the body.
 */
export function decodeBody(
  request: WireBody,
  limits: WireLimits,
  spend: Spend = () => undefined,
  tape?: JsonTape,
): DecodedBody {
  const wireBytes = request.body.length;
  if (wireBytes > limits.maxBytes) {
    throw new AppError('too_large', `The body has ${wireBytes} bytes; at most ${limits.maxBytes} are taken.`);
  }
  if (wireBytes === 0) throw new AppError('undecodable_body', 'The body is empty.');

  const failures: Failure[] = [];
  let budgetBytes = 2 * limits.maxDecodedBytes;
  for (const candidate of listCandidates(request)) {
    let spentBytes = 0;
    try {
      const json = candidate.decode(limits.maxDecodedBytes);
      spentBytes = json.length;
      const elements = tape?.read(json, limits) === true ? ON_TAPE : parseElements(json, limits);
      return { ...elements, coding: candidate.coding, decodedBytes: json.length };
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      failures.push({ candidate, error });
      if (spentBytes === 0 && error.code === 'too_large') spentBytes = limits.maxDecodedBytes; // it came to the bound
    } finally {
      spend(spentBytes);
      budgetBytes -= spentBytes;
    }
    if (budgetBytes <= 0) break;
  }
  throw refusal(failures);
}

/**
 * Decodes and parses the `data` of a pixel request, still percent-encoded as it stands in the query: JSON or LZ-String.
 * @throws AppError as `decodeBody`.
 */
export function decodePixel(data: string, limits: WireLimits, spend?: Spend, tape?: JsonTape): DecodedBody {
  if (data.length > limits.maxBytes) {
    throw new AppError('too_large', `The query value has ${data.length} bytes; at most ${limits.maxBytes} are taken.`);
  }
  const body = percentDecode(data);
  return decodeBody(
    { body, compressCodec: undefined, cryptCodec: undefined, stm: undefined, allowsLzString: true },
    limits,
    spend,
    tape,
  );
}

/** Says why no candidate fitted: the first that was readable but too much, else all that the request gave reason to try. */
function refusal(failures: readonly Failure[]): AppError {
  const decisive = failures.find(({ error }) => error.code !== 'undecodable_body');
  const told = decisive ? [decisive] : failures.filter(({ candidate }) => !candidate.isGuess);
  const reasons = told.map(({ candidate, error }) => `as ${CODING_NAMES[candidate.coding]}, ${error.message}`);
  if (decisive === undefined && told.length < failures.length) {
    reasons.push(
      told.length === 0 ? 'it does not begin like JSON and fits no other coding' : 'and no other coding fits',
    );
  }
  return new AppError(
    decisive?.error.code ?? 'undecodable_body',
    `The body could not be decoded: ${reasons.join('; ')}.`,
    {
      details: { tried: failures.map(({ candidate }) => candidate.coding).join(' ') },
    },
  );
}
