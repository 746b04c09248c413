const MAX_NAME = 200;
/** Long enough for any ending that says what the file is. */
const KEPT_ENDING = 20;

/** Also the marks that turn the direction of writing: they make `exe.pdf` of what is an `.exe`. */
const UNSEEN = /[\p{Cc}\u2028\u2029\u202A-\u202E\u2066-\u2069]+/gu;
const CONTROLS = /[\p{Cc}\u2028\u2029]+/gu;

/** A mark of byte order is seen by nobody, and decoders take it away where an encoded word begins with it. */
const wellFormed = (text: string): string => text.toWellFormed().replaceAll('\uFEFF', '');

/** One line of text for a header or a label: nothing in it can end the line. */
export const oneLine = (text: string): string => wellFormed(text).replaceAll(CONTROLS, ' ').trim();

/** At most so many characters of it, none of them cut in two. */
export const shortened = (text: string, most: number): string => Array.from(text).slice(0, most).join('').trim();

/** A file's name and nothing of where it lay; too long a one loses its middle, and spaces in a row are one, as header folding leaves them. */
export function fileName(name: string): string {
  const [last = ''] = wellFormed(name).replaceAll(UNSEEN, ' ').replaceAll(/\s+/g, ' ').split(/[/\\]/).slice(-1);
  const letters = Array.from(last.trim());
  if (letters.length <= MAX_NAME) return letters.join('');
  return [...letters.slice(0, MAX_NAME - KEPT_ENDING), ...letters.slice(-KEPT_ENDING)].join('').trim();
}
