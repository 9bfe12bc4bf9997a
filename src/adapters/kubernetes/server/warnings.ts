import type { ServerResponse } from 'node:http'

/** How many characters all warnings of an answer may have together before each of them is cut. */
const TOTAL_CHARACTERS_MAX = 4 * 1024

/** How many characters of each are shown then. */
const CUT_CHARACTERS = 256

/** What was told in the headers of one answer. */
interface Told {
  readonly texts: Set<string>
  characters: number
  isCut: boolean
}

const toldIn = new WeakMap<ServerResponse, Told>()

/** The value of a `Warning` header. */
function headerOf(text: string): string {
  // Headers are bytes; these are the bytes of the text.
  const bytes = Buffer.from(text).toString('latin1')
  return `299 - "${bytes.replace(/[\\"]/g, '\\$&')}"`
}

function cut(text: string): string {
  const characters = [...text]
  return characters.length <= CUT_CHARACTERS ? text : characters.slice(0, CUT_CHARACTERS).join('')
}

/** No header can have a line break or another control character: kube-apiserver leaves such a warning out. */
function isTellable(text: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
  return text !== '' && !/[\u0000-\u001f\u007f-\u009f]/.test(text)
}

/**
 * Adds warnings to the headers of an answer, whatever it will be: each text once. Where they become too
 * long together, each is cut, those that were added before too, and no more are added once that is too long.
 */
export function warnOf(response: ServerResponse, warnings: readonly string[]): void {
  if (response.headersSent) return
  const told = toldIn.get(response) ?? { texts: new Set(), characters: 0, isCut: false }
  toldIn.set(response, told)
  for (const text of warnings) {
    if (told.isCut && told.characters >= TOTAL_CHARACTERS_MAX) return
    if (!isTellable(text) || told.texts.has(text)) continue
    told.texts.add(text)
    const shown = told.isCut ? cut(text) : text
    const length = [...shown].length
    if (told.isCut || told.characters + length <= TOTAL_CHARACTERS_MAX) {
      told.characters += length
      response.appendHeader('Warning', headerOf(shown))
      continue
    }
    const all = [...told.texts].map(cut)
    told.isCut = true
    told.characters = all.reduce((sum, item) => sum + [...item].length, 0)
    response.setHeader('Warning', all.map(headerOf))
  }
}
