import { destination, type Level, type Logger as PinoLogger, pino } from 'pino'
import { isTidewayError, type LogFields, type Logger } from 'tideway'
import { ProgramError } from './program-error.ts'
import { choiceSetting, type Setting } from './settings.ts'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent'
export type LogFormat = 'json' | 'text'

/** The settings of every program that logs. */
export const logSettings: {
  readonly logLevel: Setting<LogLevel>
  readonly logFormat: Setting<LogFormat>
} = {
  logLevel: choiceSetting(
    'the least important lines that are logged, to standard error',
    ['debug', 'info', 'warn', 'error', 'silent'],
    () => 'info',
    'info',
  ),
  logFormat: choiceSetting(
    'one JSON object a line, or text for people, which also greets with what to try',
    ['json', 'text'],
    () => (process.stderr.isTTY ? 'text' : 'json'),
    'text in a terminal, json otherwise',
  ),
}

/** A logger to standard error. Lines are written at once: none is lost when the process ends. */
export function createLogger(program: string, level: LogLevel, format: LogFormat): Logger {
  if (format === 'text') return textLogger(level, (line) => process.stderr.write(`${line}\n`))
  const sink = destination({ fd: 2, sync: true })
  const options = {
    level,
    base: { program, pid: process.pid },
    formatters: { level: (label: string) => ({ level: label }) },
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
  }
  return adapt(pino(options, sink))
}

function adapt(logger: PinoLogger): Logger {
  const write = (level: Level, message: string, fields: LogFields = {}): void => {
    if (logger.isLevelEnabled(level)) logger[level](plainFields(fields), message)
  }
  return {
    debug: (message, fields) => write('debug', message, fields),
    info: (message, fields) => write('info', message, fields),
    warn: (message, fields) => write('warn', message, fields),
    error: (message, fields) => write('error', message, fields),
    child: (fields) => adapt(logger.child(plainFields(fields))),
  }
}

const ORDER: readonly LogLevel[] = ['debug', 'info', 'warn', 'error', 'silent']

/** Lines such as `16:40:01.250 info  the peer is connected  peer=cloud`. */
export function textLogger(
  level: LogLevel,
  print: (line: string) => void,
  bound: LogFields = {},
): Logger {
  const write = (line: Exclude<LogLevel, 'silent'>, message: string, fields: LogFields = {}) => {
    if (ORDER.indexOf(line) < ORDER.indexOf(level)) return
    const time = new Date().toISOString().slice(11, 23)
    const all = Object.entries(plainFields({ ...bound, ...fields }))
    const text = all.map(([key, value]) => `${key}=${fieldText(value)}`).join(' ')
    print(`${time} ${line.padEnd(5)} ${message}${text === '' ? '' : `  ${text}`}`)
  }
  return {
    debug: (message, fields) => write('debug', message, fields),
    info: (message, fields) => write('info', message, fields),
    warn: (message, fields) => write('warn', message, fields),
    error: (message, fields) => write('error', message, fields),
    child: (fields) => textLogger(level, print, { ...bound, ...fields }),
  }
}

function fieldText(value: unknown): string {
  return typeof value === 'string' && /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value)
}

function plainFields(fields: LogFields): LogFields {
  return Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, plain(value)]))
}

/** Errors by what their reader needs. The stack says where in the program, which few need to know. */
function plain(value: unknown): unknown {
  if (!(value instanceof Error)) return value
  const cause = value.cause === undefined ? {} : { cause: plain(value.cause) }
  if (isTidewayError(value)) {
    return { code: value.code, message: value.message, ...value.fields, ...cause }
  }
  if (value instanceof ProgramError) return { code: value.code, message: value.message, ...cause }
  return { name: value.name, message: value.message, stack: value.stack, ...cause }
}
