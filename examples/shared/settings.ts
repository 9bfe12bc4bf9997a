/** One setting of a program: what it is called comes from the schema's key, the rest is here. */
export interface Setting<Value> {
  readonly help: string
  /** Stands for the value in help, such as `HOST:PORT`. Empty for a switch, which may go without. */
  readonly placeholder: string
  /** What is allowed, for error messages. */
  readonly allowed: string
  /** How help shows the default. */
  readonly shown: string
  readonly fallback: () => Value
  /** The value, or undefined when the text is not allowed. */
  readonly parse: (text: string) => Value | undefined
}

/** The settings of one program by name, in camel case: `apiAddress` is `--api-address`. */
export type Schema = Readonly<Record<string, Setting<unknown>>>

/** What a schema's settings come to. */
export type Values<S extends Schema> = {
  readonly [Key in keyof S]: S[Key] extends Setting<infer Value> ? Value : never
}

/** Where to listen or to dial. */
export interface Address {
  readonly host: string
  readonly port: number
}

/** `127.0.0.1:6443`, `[::1]:6443`. */
export function addressText({ host, port }: Address): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/** Reads `HOST:PORT`; undefined when it is none. Port 0 stands for a free one. */
export function parseAddress(text: string): Address | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]+)):(\d{1,5})$/.exec(text)
  const host = match?.[1] ?? match?.[2]
  const port = Number(match?.[3])
  return host === undefined || port > 65_535 ? undefined : { host, port }
}

/** A place to listen. */
export function addressSetting(help: string, fallback: string): Setting<Address> {
  const address = parseAddress(fallback)
  if (address === undefined) throw new TypeError(`${fallback} is no address`)
  return {
    help,
    placeholder: 'HOST:PORT',
    allowed: 'a host and a port from 0 to 65535, such as 127.0.0.1:0 for a free port',
    shown: fallback,
    fallback: () => address,
    parse: parseAddress,
  }
}

/** Any text that is not empty; none by default. */
export function textSetting(
  help: string,
  placeholder: string,
  shown = 'none',
): Setting<string | undefined> {
  return {
    help,
    placeholder,
    allowed: 'a text that is not empty',
    shown,
    fallback: () => undefined,
    parse: (text) => (text === '' ? undefined : text),
  }
}

/** A directory, as given or from the environment of the user. */
export function directorySetting(
  help: string,
  fallback: () => string,
  shown: string,
): Setting<string> {
  return {
    help,
    placeholder: 'DIR',
    allowed: 'the path of a directory, without NUL characters',
    shown,
    fallback,
    parse: (text) => (text === '' || text.includes('\0') ? undefined : text),
  }
}

/** Several values, separated by commas. */
export function listSetting<Value>(
  help: string,
  one: Pick<Setting<Value>, 'placeholder' | 'allowed' | 'parse'>,
  shown: string,
): Setting<readonly Value[]> {
  return {
    help,
    placeholder: `${one.placeholder},...`,
    allowed: `${one.allowed}; several are separated by commas`,
    shown,
    fallback: () => [],
    parse: (text) => {
      const values = text.split(',').map((part) => one.parse(part.trim()))
      return values.every((value) => value !== undefined) ? values : undefined
    },
  }
}

/** On or off. */
export function switchSetting(help: string, fallback: boolean): Setting<boolean> {
  return {
    help,
    placeholder: '',
    allowed: 'true or false',
    shown: String(fallback),
    fallback: () => fallback,
    parse: (text) => (text === 'true' ? true : text === 'false' ? false : undefined),
  }
}

/** One of a few words. */
export function choiceSetting<Choice extends string>(
  help: string,
  choices: readonly Choice[],
  fallback: () => Choice,
  shown: string,
): Setting<Choice> {
  return {
    help,
    placeholder: choices.join('|'),
    allowed: `one of ${choices.join(', ')}`,
    shown,
    fallback,
    parse: (text) => choices.find((choice) => choice === text),
  }
}

const UNIT_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
const DURATION_DAYS_MAX = 3_650

/** Reads `500ms`, `10s`, `5m`, `24h` or `7d` as milliseconds. */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d{1,9})(ms|s|m|h|d)$/.exec(text)
  if (match === null) return undefined
  const ms = Number(match[1]) * UNIT_MS[match[2] as keyof typeof UNIT_MS]
  return ms > 0 && ms <= DURATION_DAYS_MAX * UNIT_MS.d ? ms : undefined
}

/** A duration, in milliseconds once it is read. */
export function durationSetting(help: string, fallback: string): Setting<number> {
  const ms = parseDuration(fallback)
  if (ms === undefined) throw new TypeError(`${fallback} is no duration`)
  return {
    help,
    placeholder: 'DURATION',
    allowed: `a whole number with ms, s, m, h or d, such as 10s, of at most ${DURATION_DAYS_MAX} days`,
    shown: fallback,
    fallback: () => ms,
    parse: parseDuration,
  }
}

/** RFC 1123: what Kubernetes allows as the name of a node, without dots. */
const DNS_LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/

/** Whether a text can name a node of a fleet. */
export function isNodeName(text: string): boolean {
  return DNS_LABEL.test(text) && text !== 'cloud'
}

/** A name that can stand in DNS; none by default. */
export function labelSetting(help: string, shown: string): Setting<string | undefined> {
  return {
    help,
    placeholder: 'NAME',
    allowed: 'a DNS label: 1 to 63 lower-case letters, digits and hyphens; not "cloud"',
    shown,
    fallback: () => undefined,
    parse: (text) => (isNodeName(text) ? text : undefined),
  }
}
