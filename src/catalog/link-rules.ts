/**
 * What may be said of tracking links: the names of campaigns, channels and links, and a link's own variables.
 *
 * The rule for names is the document's: at most 50 characters, letters, digits, Chinese and `-/_,`.
 */
import { AppError } from '../errors/app-error.ts';

const NAME_WIDTH = 50;
const NAME_FORM = /^[A-Za-z0-9\p{Script=Han}\-/_,]+$/u;
const ID_FORM = /^[0-9A-Za-z]{8}$/;

/** Far more than a link's query ever names, and small enough to be kept with each click. */
const MAX_VARIABLES = 20;
const VARIABLE_NAME_FORM = /^[A-Za-z][0-9A-Za-z_]{0,49}$/;
/** In code points; what a query gives is cut to it. */
export const VARIABLE_WIDTH = 200;
/** What a tracking link's query may hold of the device; a variable of that name would never be read. */
export const DEVICE_PARAMETERS = ['idfa', 'imei', 'androidid', 'uuid', 'oaid'] as const;

/** Refuses a name that the document's rule does not allow. @throws AppError bad_name */
export function refuseBadName(what: string, name: string): void {
  const length = Array.from(name).length;
  if (length === 0) throw new AppError('bad_name', `The name of the ${what} is empty.`);
  if (length > NAME_WIDTH)
    throw new AppError(
      'bad_name',
      `The name of the ${what} has ${length} characters; at most ${NAME_WIDTH} are taken.`,
    );
  if (!NAME_FORM.test(name))
    throw new AppError(
      'bad_name',
      `The name of the ${what} may hold only letters, digits, Chinese characters and - / _ and comma.`,
    );
}

/** Refuses variables that no query could name or no column hold. @throws AppError bad_variables */
export function refuseBadVariables(variables: Readonly<Record<string, string>>): void {
  const entries = Object.entries(variables);
  const refuse = (why: string): never => {
    throw new AppError('bad_variables', why);
  };
  if (entries.length > MAX_VARIABLES) refuse(`A link takes at most ${MAX_VARIABLES} variables.`);
  const seen = new Set<string>(DEVICE_PARAMETERS);
  for (const [name, value] of entries) {
    if (!VARIABLE_NAME_FORM.test(name))
      refuse('The name of a variable is a letter followed by up to 49 letters, digits and _.');
    if (seen.has(name.toLowerCase())) refuse(`The variable ${name} is there already, or is one of the device's ids.`);
    seen.add(name.toLowerCase());
    if (Array.from(value).length > VARIABLE_WIDTH)
      refuse(`The value of the variable ${name} is longer than ${VARIABLE_WIDTH} characters.`);
    if (/\p{Cc}|\p{Cs}/u.test(value)) refuse(`The value of the variable ${name} holds a control character.`);
  }
}

/** Says whether a text has the form of the ids of links, campaigns and channels. */
export function isAdsId(text: string): boolean {
  return ID_FORM.test(text);
}
