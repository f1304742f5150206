/**
 * What `npm start` prints about the demo project: its keys, and three shell lines that use the API as a client does.
 *
 * The lines are run in order, in one shell, by test/start.e2e.test.ts. They need curl, openssl, sed, grep, gunzip and head, which are
 * there on Linux and macOS, and work in every sh.
 */
import { styleText } from 'node:util';
import type { Project } from '../src/catalog/catalog.ts';
import { addHours, formatBeijingHour } from '../src/events/hour.ts';
import type { Demo } from './demo-project.ts';

/** The hour of the demo day that the lines ask for: the evening, when most happens. */
const SHOWN_HOUR_OF_DAY = 20;
const FIRST_ROWS = 4;

/** Gives the text for people, the three lines among it, each on a line of its own. */
export function demoText(demo: Demo & { readonly baseUrl: string }): string {
  const { project, day, events, isPastRetention } = demo;
  const date = formatBeijingHour(day.from).replace(/^(\d{4})(\d{2})(\d{2}).*/, '$1-$2-$3');
  const [send, ask, download] = shellLines(demo);
  return [
    `${bold('Demo project')}: ${events.toLocaleString('en')} sample events of ${date} (Beijing time)`,
    ...(isPastRetention
      ? ['That day is past its retention by now; an empty data directory makes a new demo project.']
      : []),
    ...keysOf(project).map(([name, value]) => `  ${name.padEnd(10)}${value}`),
    '',
    `${bold('Try it')}: three lines for another terminal`,
    '',
    dim('# 1. Send an event. It is exported when its hour has ended.'),
    send,
    '',
    dim(
      `# 2. Get a token, and a link to the clicks of ${date}, ${SHOWN_HOUR_OF_DAY}:00 to ${SHOWN_HOUR_OF_DAY + 1}:00.`,
    ),
    ask,
    '',
    dim('# 3. Download them and show the first rows.'),
    download,
    '',
  ].join('\n');
}

function keysOf({ ai, uid, clientId, secret }: Project): readonly (readonly [string, string])[] {
  return Object.entries({ ai, uid, clientId, secret });
}

/** The lines hold no value that a shell would change: keys are letters, digits and hyphens. */
function shellLines({ project, day, baseUrl }: Demo & { readonly baseUrl: string }): readonly [string, string, string] {
  const { ai, uid, clientId, secret } = project;
  const event = {
    ...{ t: 'cstm', u: 'visitor-1', s: 'session-1', d: 'www.chaoxi.example', p: '/hello' },
    ...{ n: 'hello', var: { word: '你好, "Tidegate"' } },
  };
  const events = `[${JSON.stringify(event).replace('{', `{"tm":'$(date +%s)000',`)}]`;
  const hour = formatBeijingHour(addHours(day.from, SHOWN_HOUR_OF_DAY));
  const signed = `"project=${uid}&ai=${ai}&tm=$tm"`;
  return [
    `curl -sS -w '\\n' '${baseUrl}/v3/${ai}/web/cstm' -d '${events}'`,
    [
      `tm=$(date +%s)000`,
      `q=${signed}`,
      `auth=$(printf 'POST\\n/auth/token\\n%s' "$q" | openssl dgst -sha256 -hmac '${secret}' | sed 's/.* //')`,
      `token=$(curl -sS '${baseUrl}/auth/token' -H 'X-Client-Id: ${clientId}' -d "$q&auth=$auth" | grep -oE '[0-9A-Za-z]{64}')`,
      `link=$(curl -sS '${baseUrl}/v2/insights/hour/action/${ai}/${hour}.json' -H 'X-Client-Id: ${clientId}' -H "Authorization: Token $token" | grep -oE 'http[^"]+')`,
      `echo "$link"`,
    ].join('; '),
    `curl -sS "$link" | gunzip | head -n ${FIRST_ROWS + 1}`,
  ];
}

function bold(text: string): string {
  return styleText('bold', text, { stream: process.stdout });
}

function dim(text: string): string {
  return styleText('dim', text, { stream: process.stdout });
}
