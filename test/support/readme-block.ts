import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const README = fileURLToPath(new URL('../../README.md', import.meta.url))

/**
 * The code of one named block of the README: the one whose fence begins with a language and `name`,
 * such as ```` ```ts embed ````.
 *
 * A test that runs a block lives in a file `readme*.test.ts`; a rule of test/tidy sees to it that every
 * block has one.
 */
export function readmeBlock(name: string, text: string = readFileSync(README, 'utf8')): string {
  const fences = [...text.matchAll(/^```\w+ +(\S+) *\n([\s\S]*?)^```$/gm)]
  const found = fences.filter((fence) => fence[1] === name)
  if (found.length !== 1) throw new Error(`the README has ${found.length} blocks named ${name}`)
  return found[0]?.[2] ?? ''
}
