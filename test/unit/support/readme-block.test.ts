import { expect, test } from 'vitest'
import { readmeBlock } from '../../support/readme-block.ts'

const FENCE = '```'
const TEXT = `# A\n\n${FENCE}ts\nnameless\n${FENCE}\n\n${FENCE}ts embed\nconst a = 1\n${FENCE}\n`

test('a block is found by its name, without its fences', () => {
  expect(readmeBlock('embed', TEXT)).toBe('const a = 1\n')
})

test('a name that is missing or there twice is an error', () => {
  expect(() => readmeBlock('other', TEXT)).toThrow('0 blocks named other')
  expect(() => readmeBlock('embed', TEXT + TEXT)).toThrow('2 blocks named embed')
})
