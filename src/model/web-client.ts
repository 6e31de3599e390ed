/** A web client that an invitation links to. */
export interface WebClient {
  /** Its base URL as browsers read it, without a slash at its end. */
  readonly location: string;
  /** Where that leads: the host, and the port where it is not the usual one. */
  readonly host: string;
}

const MAX_URL_LENGTH = 1000;

/** Without what browsers read otherwise than people do: backslashes, missing slashes, white space. */
const PLAIN = /^https?:\/\/[^\s"<>\\^`{|}\p{C}]+$/iu;

/** The web client at an http or https URL; undefined when the text is not a plain one. */
export function parseWebClient(text: string): WebClient | undefined {
  if (text.length > MAX_URL_LENGTH || !PLAIN.test(text) || !URL.canParse(text)) return undefined;
  const { href, host, username, password } = new URL(text);
  if (username !== '' || password !== '') return undefined;
  let location = href;
  while (location.endsWith('/')) location = location.slice(0, -1);
  return { location, host };
}
