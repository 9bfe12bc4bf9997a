import { createRequire } from 'node:module'
import { Command, CommanderError, Option } from 'commander'
import { EXIT, ProgramError, packageMissing } from './program-error.ts'
import { flagName, variableName } from './resolve-settings.ts'
import type { Schema } from './settings.ts'

/** Adds every setting of a schema to a command as an option, and `--config`. */
export function addSettings(command: Command, schema: Schema, envPrefix: string): Command {
  for (const [name, setting] of Object.entries(schema)) {
    const value = setting.placeholder === '' ? ' [true|false]' : ` <${setting.placeholder}>`
    const text = `${setting.help} (default: ${setting.shown})`
    command.addOption(new Option(`--${flagName(name)}${value}`, text))
  }
  const config = `a YAML file with these settings, as "name: value" without the dashes (default: none; or ${envPrefix}CONFIG)`
  return command.addOption(new Option('--config <FILE>', config))
}

/** What help says about where settings may come from. */
export function sourcesText(schema: Schema, envPrefix: string): string {
  const example = Object.keys(schema)[0] ?? ''
  const flag = flagName(example)
  return `Settings come from a flag (--${flag}), else from the environment (${variableName(envPrefix, example)}),
else from the file of --config (${flag}: ...), else from the default.`
}

/** What help says about exit codes. */
export const EXIT_TEXT: string = `Exit codes: 0 stopped in good order, 1 failed, ${EXIT.usage} wrong arguments or settings, ${EXIT.dataDirectory} data directory
locked, foreign or unusable, ${EXIT.refused} refused by the other side, ${EXIT.addressInUse} cannot listen at the address, ${EXIT.unreachable} the other
side cannot be reached, 130 and 143 ended by a second signal.`

/** Options as commander gives them, to be resolved with the other sources of settings. */
export type Flags = Readonly<Record<string, string | boolean | undefined>>

/** A program with help that is not cut, the version of its package, and errors that end with our exit codes. */
export function newProgram(name: string, description: string): Command {
  const { version } = createRequire(import.meta.url)('tideway/package.json') as {
    readonly version: string
  }
  return new Command(name)
    .description(description)
    .version(version)
    .configureHelp({ helpWidth: 100 })
    .showHelpAfterError(`("${name} --help" shows what is allowed)`)
    .exitOverride()
    .helpCommand(false)
}

/** Shows the options of `run`, the command that runs without being named, in the help of its program. */
export function addRunOptions(program: Command): void {
  program.addHelpText('after', () => {
    const command = program.commands.find((candidate) => candidate.name() === 'run')
    const help = command?.helpInformation() ?? ''
    return help.slice(help.indexOf('Options:'))
  })
}

/**
 * Runs the command of a command line.
 *
 * @returns the exit code. Failures are told on standard error.
 */
export async function runCommandLine(program: Command, args: readonly string[]): Promise<number> {
  try {
    await program.parseAsync(args, { from: 'user' })
    return 0
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT.usage
    if (error instanceof ExitWith) return error.exitCode
    const known = error instanceof ProgramError ? error : packageMissing(error)
    if (known === undefined) throw error
    process.stderr.write(`${program.name()}: ${known.message} [${known.code}]\n`)
    return known.exitCode
  }
}

/** Ends a command with an exit code when everything has been said already. */
export class ExitWith extends Error {
  override readonly name = 'ExitWith'
  readonly exitCode: number

  constructor(exitCode: number) {
    super('the command has ended')
    this.exitCode = exitCode
  }
}
