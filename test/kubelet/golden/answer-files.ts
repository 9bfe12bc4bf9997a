import { readFile, writeFile } from 'node:fs/promises'
import { parse } from 'yaml'
import type { AcceptedDifference } from '../../cluster/golden/compare.ts'
import { readCases } from './case-files.ts'
import type { Answers } from './run-all.ts'
import type { PodAnswer } from './run-case.ts'

const ANSWERS = new URL('kubelet-answers.json', import.meta.url)
const ACCEPTED = new URL('accepted-differences.yaml', import.meta.url)

/** What a real kubelet has answered, by case and step. */
export type KubeletAnswers = Readonly<Record<string, readonly PodAnswer[]>>

/** Reads what was recorded. */
export async function readAnswers(): Promise<KubeletAnswers> {
  return JSON.parse(await readFile(ANSWERS, 'utf8')) as KubeletAnswers
}

/** Replaces what was recorded of the cases that came to their end. All stay in the order of their files. */
export async function writeAnswers(found: Answers): Promise<void> {
  const [cases, before] = [await readCases(), await readAnswers()]
  const answerOf = (name: string): readonly PodAnswer[] | undefined => {
    const answer = found.get(name)
    return answer === undefined || answer instanceof Error ? before[name] : answer
  }
  const answers = Object.fromEntries(cases.map(({ name }) => [name, answerOf(name)]))
  await writeFile(ANSWERS, `${JSON.stringify(answers, undefined, 1)}\n`)
}

/** Reads where edged differs from kubelet on purpose. */
export async function readAccepted(): Promise<readonly AcceptedDifference[]> {
  return (parse(await readFile(ACCEPTED, 'utf8')) ?? []) as readonly AcceptedDifference[]
}
