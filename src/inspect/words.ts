/** Longer names are cut: a line stays readable whatever a peer sends. */
const CHARS_MAX = 120

/** A name of a peer as it is, or quoted when it holds anything but visible ASCII. */
export function named(text: string): string {
  const short = text.length > CHARS_MAX ? `${text.slice(0, CHARS_MAX)}…` : text
  return /^[\x21-\x7e]+…?$/.test(short) ? short : quoted(short)
}

/** A text of a peer in quotes. No control character is left: nothing moves the cursor of a terminal. */
export function quoted(text: string): string {
  const short = text.length > CHARS_MAX ? `${text.slice(0, CHARS_MAX)}…` : text
  return JSON.stringify(short).replace(
    /[\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

/** `count` things in words, at most `max` of them and how many more there are. */
export function listed(items: readonly string[], max: number): string {
  if (items.length === 0) return 'none'
  const shown = items.slice(0, max).join(', ')
  return items.length > max ? `${shown}, and ${items.length - max} more` : shown
}

/** A number of bytes. */
export function size(bytes: number): string {
  return `${bytes} B`
}

/** Which of several words hold. */
export function flags(words: Readonly<Record<string, boolean>>): string {
  return Object.keys(words)
    .filter((word) => words[word] === true)
    .map((word) => ` ${word}`)
    .join('')
}
