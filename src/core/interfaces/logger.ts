/** What varies in a log line. Never secrets, never whole payloads. */
export type LogFields = Readonly<Record<string, unknown>>

/** A structured logger: the message is a constant and everything that varies is a field. */
export interface Logger {
  /** What helps to follow one case. */
  debug(message: string, fields?: LogFields): void
  /** What an operator wants to see in normal times. */
  info(message: string, fields?: LogFields): void
  /** What went wrong and is being dealt with. */
  warn(message: string, fields?: LogFields): void
  /** What somebody has to look at. */
  error(message: string, fields?: LogFields): void
  /** A logger that adds `fields` to every line. */
  child(fields: LogFields): Logger
}
