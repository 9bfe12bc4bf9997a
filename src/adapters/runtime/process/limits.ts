/** Every number of the process runtime in one place. Options override the ones marked so. */
export const LIMITS: {
  readonly logFileBytesMax: number
  readonly logFilesMax: number
  readonly logLineBytesMax: number
  readonly logReadBytes: number
  readonly rawBytesMax: number
  readonly glanceMs: number
  readonly glancesPerPoll: number
  readonly startMsMax: number
  readonly startPollMs: number
  readonly killRoundsMax: number
  readonly killRoundMs: number
  readonly freezeMsMax: number
  readonly commandBytesMax: number
  readonly sessionsMax: number
  readonly connectionsMax: number
  readonly quietMs: number
  readonly attachPollMs: number
  readonly wakeMsMin: number
  readonly wakeMsMax: number
} = {
  /** A log file is rotated once it has reached this many bytes (option). */
  logFileBytesMax: 10 * 1024 * 1024,
  /** Log files kept for one container, the current one included (option). */
  logFilesMax: 5,
  /** A longer line is written in parts of this many bytes, as the CRI log format has it. */
  logLineBytesMax: 16 * 1024,
  /** How much of a raw file is read at once. */
  logReadBytes: 64 * 1024,
  /** A raw output file is emptied once it has reached this many bytes (option). */
  rawBytesMax: 16 * 1024 * 1024,
  /** How often it is seen whether processes are there, without any sign of a change. */
  glanceMs: 2_000,
  /** Each so manieth time their files are looked at, too: for signs that were lost. */
  glancesPerPoll: 10,
  /** A container whose process does not come up within this time has failed to start. */
  startMsMax: 30_000,
  startPollMs: 5,
  /** How often a tree is listed and killed again before giving up. */
  killRoundsMax: 250,
  killRoundMs: 20,
  /** How long a frozen or stopped tree may take to come to rest. */
  freezeMsMax: 2_000,
  /** Command and arguments together. */
  commandBytesMax: 1024 * 1024,
  /** Commands that run in containers, and attachments to them, at once. */
  sessionsMax: 128,
  /** Connections to ports of pods at once. */
  connectionsMax: 1_024,
  /** When nothing has come for this long after a command has ended, nothing more is waited for. */
  quietMs: 250,
  /** How often the output of an attached container is looked at without any sign of a change. */
  attachPollMs: 250,
  /** How often the pipe of a stdin that has ended is looked after: first, and later. */
  wakeMsMin: 20,
  wakeMsMax: 1_000,
}
