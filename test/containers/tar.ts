/** One entry of an archive. */
export interface TarEntry {
  /** Without a slash at its beginning. */
  readonly name: string
  readonly type?: 'file' | 'directory' | 'link'
  /** Default: 0755. */
  readonly mode?: number
  readonly body?: Uint8Array
  /** What a link leads to. */
  readonly target?: string
}

const BLOCK = 512
const NAME_MAX = 100
const TYPES = { file: '0', directory: '5', link: '2' } as const

/** A tar archive in the ustar format. Times and owners are 0, so the same entries give the same bytes. */
export function tarOf(entries: readonly TarEntry[]): Buffer {
  return Buffer.concat([...entries.map(block), Buffer.alloc(2 * BLOCK)])
}

function block({ name, type = 'file', mode = 0o755, body, target = '' }: TarEntry): Buffer {
  if (name.length > NAME_MAX) throw new Error(`a name in an archive is too long: ${name}`)
  const content = body ?? new Uint8Array()
  const header = Buffer.alloc(BLOCK)
  const text = (value: string, at: number): void => void header.write(value, at, 'latin1')
  const octal = (value: number, at: number, length: number): void =>
    text(`${value.toString(8).padStart(length - 1, '0')}\0`, at)
  text(name, 0)
  octal(mode, 100, 8)
  octal(0, 108, 8)
  octal(0, 116, 8)
  octal(content.length, 124, 12)
  octal(0, 136, 12)
  text('        ', 148)
  text(TYPES[type], 156)
  text(target, 157)
  text('ustar\u000000', 257)
  // The sum counts its own field as spaces.
  const sum = header.reduce((total, byte) => total + byte, 0)
  text(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  const rest = (BLOCK - (content.length % BLOCK)) % BLOCK
  return Buffer.concat([header, content, Buffer.alloc(rest)])
}
