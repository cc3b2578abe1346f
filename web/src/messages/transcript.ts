// A conversation as a text that is passed on. Whoever wrote a message chose its every character: each line
// of it is quoted, so that none looks like another message, and what has no shape of its own is spelled out.

export interface Entry {
  /** What the portal says of a message: when, and by whom. */
  head: string;
  text: string;
  /** What was attached, as lines. */
  attached: string[];
}

const LINE = /\r\n|[\n\v\f\r\u0085\u2028\u2029]/u;
/** Not a tab, and not what joins letters or signs to one. */
const SHAPELESS = /(?!\t)\p{Cc}|(?![\u200C\u200D])\p{Cf}|\p{Cs}/gu;

const spelled = (text: string): string =>
  text.replace(SHAPELESS, (char) => `<U+${(char.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}>`);

const quoted = (text: string): string => text.split(LINE).map((line) => `> ${spelled(line)}`).join('\n');

/** The subject, and every message with its number. */
export function transcript(subject: string, entries: Entry[]): string {
  const parts = entries.map(({ head, text, attached }, at) =>
    [`${at + 1}/${entries.length}`, head, quoted(text), ...attached].join('\n'),
  );
  return `${[quoted(subject), ...parts].join('\n\n')}\n`;
}
