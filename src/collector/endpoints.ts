/**
 * The collector's paths: which project and platform a path stands for (docs/api.md lists them).
 *
 * Paths are matched as they were sent, without decoding: no SDK escapes anything in them. The last part is only a channel; any
 * event type may come on any. A trailing slash is tolerated.
 */
import { LRUCache } from 'lru-cache';

/** What a collector path says. */
export type Endpoint = { readonly ai: string; readonly pathWord: string; readonly isWeb: boolean };

const AI = '[0-9A-Za-z-]{1,64}';
const CHANNEL = '(?!\\.{1,2}/?$)[0-9A-Za-z_.-]{1,64}';
const APP_ID = '(?!\\.{1,2}/)[^/]{1,128}';

/** Each pattern names the project; those without a platform in the path come from mini programs. */
const PATTERNS: readonly RegExp[] = [
  new RegExp(`^/v3/(?<ai>${AI})/(?<word>web|wap|android|ios|harmonyos|minp|s2s)/${CHANNEL}/?$`),
  new RegExp(`^/v2/(?<ai>${AI})/(?<word>web|wap)/${CHANNEL}/?$`),
  new RegExp(`^/custom/(?<ai>${AI})/(?<word>web|wap)/${CHANNEL}/?$`),
  new RegExp(`^/app/(?<ai>${AI})/(?<word>android|ios)/${CHANNEL}/?$`),
  new RegExp(`^/projects/(?<ai>${AI})/apps/${APP_ID}/collect/?$`),
];

/** The endpoints of the paths that came last: a project's clients all send to the same few. */
const known = new LRUCache<string, Endpoint>({ max: 1_000 });
const MAX_KNOWN_UNITS = 256;

/** Finds the endpoint of a path without its query; undefined when it is none of the collector's. */
export function findEndpoint(path: string): Endpoint | undefined {
  const before = known.get(path);
  if (before) return before;
  const endpoint = readPath(path);
  if (endpoint && path.length <= MAX_KNOWN_UNITS) known.set(path, endpoint);
  return endpoint;
}

function readPath(path: string): Endpoint | undefined {
  const single = path.replace(/^\/{2,}/, '/'); // a configured host that ends with a slash
  for (const pattern of PATTERNS) {
    const groups = pattern.exec(single)?.groups;
    if (!groups) continue;
    const pathWord = groups.word ?? 'minp';
    return { ai: groups.ai!, pathWord, isWeb: pathWord === 'web' || pathWord === 'wap' };
  }
  return undefined;
}

/** Reads one parameter of a raw query, still percent-encoded; undefined when it is not there. */
export function rawQueryValue(query: string, name: string): string | undefined {
  for (const pair of query.split('&')) if (pair.startsWith(`${name}=`)) return pair.slice(name.length + 1);
  return undefined;
}
