import { readFile } from 'node:fs/promises'
import { parse } from 'yaml'
import type { CommandResult } from '../../../support/api-server.ts'

/** One command of kubectl. */
export interface KubectlCommand {
  /** As it is written in the file. */
  readonly line: string
  readonly args: readonly string[]
  readonly input: string | undefined
  readonly editor: string | undefined
}

/** A line of output that may be on one side only. */
export interface AcceptedLine {
  readonly reason: string
  /** Regular expressions. */
  readonly line: string
  readonly command?: string
}

interface Entry {
  readonly run: string
  readonly input?: string
  readonly editor?: string
}

/** The files of commands: all that are tried, and the fewer for releases that are not tried with all. */
export type CommandFile = 'commands.yaml' | 'commands-between.yaml'

/** The commands of a file, for a namespace of their own. */
export async function readCommands(
  file: CommandFile,
  name: string,
): Promise<readonly KubectlCommand[]> {
  const manifests = (await read('manifests.yaml')) as Readonly<Record<string, string>>
  const entries = (await read(file)) as readonly (Entry | string)[]
  return entries.map((entry) => {
    const { run, input, editor } = typeof entry === 'string' ? { run: entry } : (entry as Entry)
    const line = run.replaceAll('NS', `golden-${name}`).replaceAll('NN', name)
    const manifest = input === undefined ? undefined : manifests[input]
    if (input !== undefined && manifest === undefined) throw new Error(`no manifest ${input}`)
    return { line: run, args: words(line), input: manifest, editor }
  })
}

/** The lines that are accepted to differ. */
export async function readAcceptedLines(): Promise<readonly AcceptedLine[]> {
  return (await read('accepted-lines.yaml')) as readonly AcceptedLine[]
}

async function read(name: string): Promise<unknown> {
  return parse(await readFile(new URL(name, import.meta.url), 'utf8'))
}

/** Words are apart by spaces; a backslash keeps one. */
function words(line: string): readonly string[] {
  return line
    .split(/(?<!\\) /)
    .map((word) => word.replaceAll('\\ ', ' '))
    .filter((word) => word !== '')
}

/** What a command printed, in lines, with what differs from run to run named instead of shown. */
export function outputLines(result: CommandResult, name: string): readonly string[] {
  const text = [
    `exit code ${result.code}`,
    result.stdout,
    result.stderr === '' ? '' : `stderr: ${result.stderr}`,
  ].join('\n')
  return withoutRepairs(text)
    .replaceAll(`golden-${name}`, '<namespace>')
    .replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, '<uid>')
    .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, '<time>')
    .replace(/\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4}/g, '<time>')
    .replace(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+ [+-]\d{4}/g, '<time>')
    .replace(/(127\.0\.0\.1|localhost):\d+/g, '<server>')
    .replace(/\b10\.\d+\.\d+\.\d+\b/g, '<address>')
    .replace(/resourceVersion"?: ?"\d+"/g, 'resourceVersion: <version>')
    .replace(/\/tmp\/(LIVE|MERGED)-\d+/g, '<$1>')
    .replace(/\b\d+s\b/g, '<age>')
    .replace(/\beyJ[\w.-]+/g, '<token>')
    .replace(/kubectl-edit-\w+\.yaml/g, '<file>')
    .split('\n')
    .map((line) => line.replace(/(?<=\S) {2,}/g, '  ').trimEnd())
    .filter((line) => line !== '')
}

/**
 * Without what a real server says of a service that its repair of addresses met half made: it looks
 * every few minutes, so that few runs see it.
 */
function withoutRepairs(text: string): string {
  return text
    .replace(/^ .* ipallocator-repair-controller .*\n/gm, '')
    .replace(/^Events:\n +Type .*\n +---- .*\n(?! )/gm, 'Events:  <none>\n')
}

/** The lines of two outputs that only one of them has, in order; the first begins with `-`. */
export function differingLines(
  real: readonly string[],
  ours: readonly string[],
): readonly string[] {
  const left = countOf(real)
  const right = countOf(ours)
  const only = (lines: readonly string[], others: Map<string, number>, sign: string): string[] => {
    const rest = new Map(others)
    return lines.flatMap((line) => {
      const count = rest.get(line) ?? 0
      rest.set(line, count - 1)
      return count > 0 ? [] : [`${sign}${line}`]
    })
  }
  return [...only(real, right, '-'), ...only(ours, left, '+')]
}

function countOf(lines: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>()
  for (const line of lines) counts.set(line, (counts.get(line) ?? 0) + 1)
  return counts
}
