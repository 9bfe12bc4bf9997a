import { objectAt, textAt } from '../json.ts'
import { forbiddenText, StatusError } from '../status.ts'
import type { PolicyQuestion } from './policy-review.ts'
import type { Denial } from './verdicts.ts'

/** What a request is about where it has no name: what its name will begin with. */
function nameOf({ name, about }: PolicyQuestion): string {
  if (name !== '') return name
  const metadata = objectAt(about.object, 'metadata')
  return textAt(metadata, 'name') || textAt(metadata, 'generateName') || 'Unknown'
}

/**
 * Refuses what policies deny, with the words of the first of them.
 *
 * @throws StatusError
 */
export function refuseDenied(question: PolicyQuestion, denials: readonly Denial[]): void {
  const [first] = denials
  if (first === undefined) return
  const { group, plural } = question.context.served
  const name = nameOf(question)
  const { policy, binding, message, reason } = first
  const bound = binding === undefined ? '' : ` with binding '${binding}'`
  const text = `ValidatingAdmissionPolicy '${policy}'${bound} denied request: ${message}`
  throw new StatusError(reason, forbiddenText(plural, group, name, text), {
    name,
    group,
    kind: plural,
    causes: [{ message: text }],
  })
}
