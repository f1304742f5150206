/**
 * Reads the parameters of the token call, which clients send as raw text, as a form, as JSON, or in the query with no body.
 *
 * The form is told from the body itself: the Content-Type of real clients may be anything.
 */

export const TOKEN_PARAMETERS = ['project', 'ai', 'tm', 'auth'] as const;

/** The four values as they were sent, which is how they were signed. */
export type TokenParameters = Readonly<Record<(typeof TOKEN_PARAMETERS)[number], string>>;

/** Reads the parameters. Returns the faults, each a sentence, when there are any. */
export function parseTokenParameters(body: string, query: string): TokenParameters | readonly string[] {
  const text = body.trim(); // a body from a file ends with a line feed
  const sent = text.startsWith('{') ? readJson(text) : readForm(text);
  if (sent === undefined) return ['The body begins like JSON and is none.'];
  // Some HTTP clients send an empty object or a blank with their query.
  const values = sent.size === 0 ? readForm(query) : sent;
  const faults = TOKEN_PARAMETERS.flatMap((name) => faultOf(name, values.get(name) ?? []));
  if (faults.length > 0) return faults;
  const [project, ai, tm, auth] = TOKEN_PARAMETERS.map((name) => values.get(name)![0]!) as [
    string,
    string,
    string,
    string,
  ];
  return { project, ai, tm, auth };
}

function faultOf(name: (typeof TOKEN_PARAMETERS)[number], values: readonly string[]): string[] {
  const [value] = values;
  if (value === undefined || value === '') return [`${name} is missing.`];
  if (values.length > 1) return [`${name} is given more than once.`];
  if (name === 'tm' && !/^\d{1,15}$/.test(value)) return ['tm is no time in milliseconds since 1970.'];
  return [];
}

type SentValues = ReadonlyMap<string, readonly string[]>;

function readForm(text: string): SentValues {
  const form = new URLSearchParams(text);
  return new Map(TOKEN_PARAMETERS.filter((name) => form.has(name)).map((name) => [name, form.getAll(name)]));
}

function readJson(text: string): SentValues | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return undefined;
  }
  const sent = new Map(Object.entries(parsed as Record<string, unknown>));
  return new Map(
    TOKEN_PARAMETERS.filter((name) => sent.has(name)).map((name) => {
      const value = sent.get(name);
      return [name, typeof value === 'string' || typeof value === 'number' ? [String(value)] : []];
    }),
  );
}
