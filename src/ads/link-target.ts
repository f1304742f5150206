/**
 * Where a tracking link may lead: web addresses, and the app schemes that the operator allows.
 *
 * Checked when a link is made. A hit sends on to the stored target and to nothing else, so this is the only place that decides
 * where anybody can be sent; some schemes run script or open files where they are followed, and no option allows those.
 */
import { AppError, ConfigurationError } from '../errors/app-error.ts';

const MAX_LENGTH = 2_048;
const WEB_SCHEMES = ['http', 'https'];
const SCHEME_FORM = /^[a-z][a-z0-9+.-]{0,39}$/;
const REFUSED_SCHEMES = [
  ...['javascript', 'data', 'vbscript', 'livescript', 'file', 'filesystem', 'blob', 'about', 'view-source'],
  ...['jar', 'ws', 'wss', 'ftp', 'chrome', 'resource', 'res', 'mhtml', 'intent', 'content'],
];

/** Reads the operator's list of app schemes. @throws ConfigurationError for what is none, or may never be allowed */
export function parseLinkSchemes(words: readonly string[]): readonly string[] {
  const schemes = words.map((word) => word.toLowerCase().replace(/:(\/\/)?$/, ''));
  const faults = schemes.flatMap((scheme) =>
    !SCHEME_FORM.test(scheme)
      ? [`--link-schemes: "${scheme}" is no scheme such as shopapp.`]
      : REFUSED_SCHEMES.includes(scheme)
        ? [`--link-schemes: ${scheme} may never be the target of a link.`]
        : [],
  );
  if (faults.length > 0) throw new ConfigurationError(faults);
  return schemes;
}

/**
 * Checks the target of a link and gives it in the form in which it is sent on: as it is, or escaped where it holds more than
 * ASCII. @throws AppError link_target_refused
 */
export function parseLinkTarget(text: string, appSchemes: readonly string[]): string {
  const refuse = (why: string): never => {
    throw new AppError('link_target_refused', why);
  };
  if (text.length > MAX_LENGTH) refuse(`The target of the link is longer than ${MAX_LENGTH} characters.`);
  // Browsers pass over blanks and line breaks in an address, and so would read another scheme than a check of the text.
  if (/[\s\p{Cc}\p{Cs}\p{Cf}\\]/u.test(text))
    refuse('The target of the link holds a blank, a backslash or a control character.');
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):/.exec(text)?.[1]?.toLowerCase();
  if (scheme === undefined || !URL.canParse(text))
    return refuse('The target of the link is no address with a scheme, such as https://….');
  const isWeb = WEB_SCHEMES.includes(scheme);
  if (!isWeb && (REFUSED_SCHEMES.includes(scheme) || !appSchemes.includes(scheme)))
    refuse(`A link may not lead to ${scheme}: addresses.`);
  const url = new URL(text);
  if (isWeb && (!/^https?:\/\/[^/]/i.test(text) || url.hostname === ''))
    refuse('The target of the link names no host.');
  if (url.username !== '' || url.password !== '') refuse('The target of the link holds a user name or a password.');
  if (/^[\x21-\x7e]+$/.test(text)) return text;
  // A Chinese character is nine when it is escaped, and clients refuse a header of more than some 16,000.
  if (url.href.length > MAX_LENGTH)
    refuse(`The target of the link is longer than ${MAX_LENGTH} characters when it is escaped.`);
  return url.href;
}
