/** What comes next in a JSON text, in the words with which Go says what it did not find. */
const VALUE = 'looking for beginning of value'
const KEY = 'looking for beginning of object key string'
const END_OF_INPUT = 'unexpected end of JSON input'

/**
 * Says where a text stops being JSON, as kube-apiserver says it: clients show it to their users.
 *
 * @returns undefined for a text that is JSON.
 */
export function jsonSyntaxError(text: string): string | undefined {
  const scan = new Scan(text)
  try {
    scan.document()
    return undefined
  } catch (error) {
    if (error instanceof Unexpected) return error.message
    throw error
  }
}

class Unexpected extends Error {}

/** One pass over a text. Nesting is kept in a list, not on the stack. */
class Scan {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  document(): void {
    const open: ('{' | '[')[] = []
    this.#space()
    for (let needsValue = true; ; ) {
      if (needsValue) {
        const opened = this.#opening(open)
        if (opened) continue
        this.#scalar()
      }
      needsValue = this.#afterValue(open)
      if (!needsValue && open.length === 0) return
    }
  }

  /** Enters what begins here, if it is not empty; a key is read with its colon. */
  #opening(open: ('{' | '[')[]): boolean {
    const first = this.#text[this.#at]
    if (first !== '{' && first !== '[') return false
    this.#at += 1
    this.#space()
    open.push(first)
    if (first === '{') {
      if (this.#text[this.#at] === '}') return false
      this.#key()
    } else if (this.#text[this.#at] === ']') return false
    return true
  }

  /** Whether another value follows. */
  #afterValue(open: ('{' | '[')[]): boolean {
    for (;;) {
      this.#space()
      const level = open[open.length - 1]
      if (level === undefined) {
        if (this.#at < this.#text.length) throw this.#unexpected('after top-level value')
        return false
      }
      const next = this.#text[this.#at]
      const close = level === '{' ? '}' : ']'
      if (next === close) {
        this.#at += 1
        open.pop()
        continue
      }
      const place = level === '{' ? 'after object key:value pair' : 'after array element'
      if (next !== ',') throw this.#unexpected(place)
      this.#at += 1
      this.#space()
      if (level === '{') this.#key()
      return true
    }
  }

  #key(): void {
    if (this.#text[this.#at] !== '"') throw this.#unexpected(KEY)
    this.#string()
    this.#space()
    if (this.#text[this.#at] !== ':') throw this.#unexpected('after object key')
    this.#at += 1
    this.#space()
  }

  #scalar(): void {
    const first = this.#text[this.#at] ?? ''
    // What was opened and is closed at once.
    if (first === '}' || first === ']') {
      const before = this.#text.slice(0, this.#at).trimEnd().at(-1)
      if ((before === '{' && first === '}') || (before === '[' && first === ']')) return
    }
    if (first === '"') this.#string()
    else if (first === 't') this.#literal('true')
    else if (first === 'f') this.#literal('false')
    else if (first === 'n') this.#literal('null')
    else if (/[-0-9]/.test(first)) this.#number()
    else throw this.#unexpected(VALUE)
  }

  #string(): void {
    for (this.#at += 1; this.#text[this.#at] !== '"'; this.#at += 1) {
      const code = this.#text.charCodeAt(this.#at)
      if (!(code >= 0x20)) throw this.#unexpected('in string literal')
      if (this.#text[this.#at] === '\\') this.#escape()
    }
    this.#at += 1
  }

  #escape(): void {
    this.#at += 1
    if (!/["\\/bfnrtu]/.test(this.#text[this.#at] ?? ''))
      throw this.#unexpected('in string escape code')
    if (this.#text[this.#at] !== 'u') return
    for (let digits = 0; digits < 4; digits += 1) {
      this.#at += 1
      if (!/[0-9a-fA-F]/.test(this.#text[this.#at] ?? ''))
        throw this.#unexpected('in \\u hexadecimal character escape')
    }
  }

  #literal(word: string): void {
    for (const [index, letter] of [...word].entries()) {
      if (index > 0 && this.#text[this.#at] !== letter)
        throw this.#unexpected(`in literal ${word} (expecting ${quoted(letter)})`)
      this.#at += 1
    }
  }

  #number(): void {
    if (this.#text[this.#at] === '-') this.#at += 1
    if (this.#text[this.#at] === '0') this.#at += 1
    else this.#digits('in numeric literal')
    if (this.#text[this.#at] === '.') {
      this.#at += 1
      this.#digits('after decimal point in numeric literal')
    }
    if (!/[eE]/.test(this.#text[this.#at] ?? '')) return
    this.#at += 1
    if (/[-+]/.test(this.#text[this.#at] ?? '')) this.#at += 1
    this.#digits('in exponent of numeric literal')
  }

  #digits(place: string): void {
    if (!/[0-9]/.test(this.#text[this.#at] ?? '')) throw this.#unexpected(place)
    while (/[0-9]/.test(this.#text[this.#at] ?? '')) this.#at += 1
  }

  #space(): void {
    while (/[ \t\r\n]/.test(this.#text[this.#at] ?? '')) this.#at += 1
  }

  #unexpected(place: string): Unexpected {
    const found = this.#text[this.#at]
    if (found === undefined) return new Unexpected(END_OF_INPUT)
    return new Unexpected(`invalid character ${quoted(found)} ${place}`)
  }
}

/** What Go escapes otherwise than JSON does. */
const GO_ESCAPES: Readonly<Record<string, string>> = { '\\u0007': '\\a', '\\u000b': '\\v' }

function quoted(character: string): string {
  if (character === "'") return "'\\''"
  if (character === '"') return `'"'`
  const code = character.charCodeAt(0)
  if (code >= 0x7f && code < 0xa0) return `'\\u${code.toString(16).padStart(4, '0')}'`
  const text = JSON.stringify(character).slice(1, -1)
  return `'${GO_ESCAPES[text] ?? text.replace(/^\\u00/, '\\x')}'`
}
