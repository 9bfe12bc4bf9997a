/** What varies in a log line. Never secrets, never whole payloads. */
export type LogFields = Readonly<Record<string, unknown>>

/** A structured logger: the message is a constant and everything that varies is a field. */
export interface Logger {
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
  /** A logger that adds `fields` to every line. */
  child(fields: LogFields): Logger
}
