import { codeFiles } from './syntax.ts'
import type { Rule } from './tree.ts'

const LINES_MAX = 400
const TEST_LINES_MAX = 600
const ROOMS = /^(?:src|examples|bench|test|scripts)\//

const BANNED_WORDS = new Set([
  'base',
  'common',
  'data',
  'handler',
  'helper',
  'helpers',
  'impl',
  'info',
  'manager',
  'misc',
  'service',
  'util',
  'utils',
])

/** There, a service is a thing: the Kubernetes object of that name. */
const SERVICES = /^(?:src|test\/\w+)\/adapters\/kubernetes\/|^examples\//

const KEBAB_CASE = /^[a-z0-9]+(?:-[a-z0-9]+)*(?:\.[a-z0-9-]+)+$/

/** A file that grows past this holds more than one idea. */
export const fileLength: Rule = {
  name: 'no file is longer than 400 lines, no test longer than 600',
  check: (tree) =>
    codeFiles(tree, ROOMS).flatMap(([path, text]) => {
      const linesMax = path.startsWith('test/') ? TEST_LINES_MAX : LINES_MAX
      const lines = text.trimEnd().split('\n').length
      return lines > linesMax
        ? [`${path}:${linesMax}: ${lines} lines: split it by idea, at most ${linesMax}`]
        : []
    }),
}

/** A file is named by what it holds; these words say nothing. */
export const fileNames: Rule = {
  name: 'file names are kebab-case and say what the file holds',
  check: (tree) =>
    codeFiles(tree, ROOMS).flatMap(([path]) => {
      const name = path.slice(path.lastIndexOf('/') + 1)
      const empty = name
        .split(/[-.]/)
        .filter((word) => BANNED_WORDS.has(word) && !(word === 'service' && SERVICES.test(path)))
      return [
        ...empty.map((word) => `${path}:1: "${word}" in a file name says nothing: name the idea`),
        ...(KEBAB_CASE.test(name) ? [] : [`${path}:1: the file name is not kebab-case`]),
      ]
    }),
}
