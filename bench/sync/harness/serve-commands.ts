import { type Usage, usage } from './usage.ts'

/** What a program can be told to do, by name. */
// The arguments are made by the one caller of each command, in the row that uses it.
export type Commands = Readonly<Record<string, (args: never) => unknown>>

/** Answers the calls of the process that started this one, and ends with it. */
export function serveCommands(commands: Commands): void {
  const all: Commands = {
    hello: () => undefined,
    usage: (): Usage => usage(),
    ...commands,
  }
  process.on('message', (message) => {
    const { id, command, args } = message as { id: number; command: string; args: never }
    const run = async (): Promise<unknown> => {
      const work = Object.hasOwn(all, command) ? all[command] : undefined
      if (work === undefined) throw new Error('there is no such command')
      return await work(args)
    }
    run().then(
      (result) => process.send?.({ id, result }),
      (error: unknown) => process.send?.({ id, error: String(error) }),
    )
  })
  process.on('disconnect', () => process.exit(0))
}
