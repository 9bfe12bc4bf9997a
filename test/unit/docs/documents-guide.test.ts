import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, expect, test, vi } from 'vitest'

const GUIDE = fileURLToPath(new URL('../../../docs/documents.md', import.meta.url))

let folder: string | undefined

afterEach(async () => {
  vi.restoreAllMocks()
  if (folder !== undefined) await rm(folder, { recursive: true })
})

/** What a comment at the end of a line, or on a line of its own, says is printed: JSON. */
function promised(program: string): readonly unknown[] {
  const comments = [...program.matchAll(/(?:^|console\.log\(.*\) )\/\/ ([[{"].*|true|false)$/gm)]
  return comments.map(([, text]) => JSON.parse(text ?? ''))
}

test('the program of the guide prints what its comments say', async () => {
  const text = await readFile(GUIDE, 'utf8')
  const program = [...text.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, code]) => code).join('\n')
  folder = await mkdtemp(join(tmpdir(), 'tideway-guide-'))
  const file = join(folder, 'guide.ts')
  await writeFile(file, program)
  const printed: unknown[] = []
  vi.spyOn(console, 'log').mockImplementation((value: unknown) => {
    printed.push(JSON.parse(JSON.stringify(value)))
  })
  await import(/* @vite-ignore */ file)
  expect(printed).toEqual(promised(program))
  expect(printed.length).toBeGreaterThan(15)
})
