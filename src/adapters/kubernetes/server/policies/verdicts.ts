import { CelError, type Value } from '../cel/values.ts'
import type { Asker } from '../context.ts'
import {
  type AdmissionFacts,
  AdmissionRun,
  BudgetError,
  CONDITIONS_STEPS_MAX,
  POLICY_STEPS_MAX,
} from '../webhooks/admission-run.ts'
import { conditionsHold } from '../webhooks/selection.ts'
import type { PolicyProblem } from './params.ts'
import type {
  AuditAnnotation,
  PolicyBinding,
  ValidatingPolicy,
  Validation,
  ValidationReason,
} from './policy.ts'

/** That a policy does not let a request through, and why. */
export interface Denial {
  readonly policy: string
  /** Undefined where no binding is at fault. */
  readonly binding: string | undefined
  readonly message: string
  readonly reason: ValidationReason
}

/** The longest text that a messageExpression may make, and a note for the audit may have, in bytes. */
const MESSAGE_BYTES_MAX = 5 * 1024
const ANNOTATION_CHARACTERS_MAX = 10 * 1024

const FAILURE_KEY = 'validation.policy.admission.k8s.io/validation_failure'

interface Decision {
  readonly index: number
  readonly message: string
  readonly reason: ValidationReason
}

/** What one policy says of one request, by its bindings and their parameters. */
export class PolicyVerdicts {
  readonly denials: Denial[] = []
  readonly #policy: ValidatingPolicy
  readonly #asker: Asker
  readonly #notes = new Map<string, Set<string>>()

  constructor(policy: ValidatingPolicy, asker: Asker) {
    this.#policy = policy
    this.#asker = asker
  }

  /** Notes that the policy, or one binding of it, cannot be used. */
  fail(binding: PolicyBinding | undefined, problem: PolicyProblem): void {
    if (this.#policy.ignoresFailure) return
    const what = binding === undefined ? 'policy' : 'binding'
    const message = `failed to configure ${what}: ${problem.message}`
    this.#deny(binding, message, 'Invalid')
  }

  /** Evaluates the policy on what it sees of a request, as a binding says it. */
  async add(binding: PolicyBinding, facts: AdmissionFacts): Promise<void> {
    const { conditions, ignoresFailure, variables } = this.#policy
    if (conditions.length > 0) {
      // Conditions see no namespace.
      const seen = { ...facts, values: { ...facts.values, namespaceObject: null } }
      const run = new AdmissionRun(seen, CONDITIONS_STEPS_MAX, variables)
      const holds = await conditionsHold(conditions, ignoresFailure, run)
      if (holds === false) return
      if (holds !== true) return this.#act(binding, [failed(0, holds.problem)])
    }
    try {
      const run = new AdmissionRun(facts, POLICY_STEPS_MAX, variables)
      this.#act(binding, await this.#decisions(facts, run))
      await this.#annotate(binding, facts)
    } catch (error) {
      if (!(error instanceof BudgetError)) throw error
      if (!ignoresFailure) this.#act(binding, [failed(0, error.message)])
    }
  }

  /** Writes what the policy notes for the audit. */
  publish(): void {
    for (const [key, values] of this.#notes)
      this.#asker.annotate(`${this.#policy.name}/${key}`, [...values].join(', '))
  }

  async #decisions(facts: AdmissionFacts, run: AdmissionRun): Promise<readonly Decision[]> {
    const { validations, ignoresFailure, variables } = this.#policy
    const failures: { readonly index: number; readonly found: Value | CelError }[] = []
    for (const [index, { program }] of validations.entries()) {
      const found = program instanceof CelError ? program : await run.evaluate(program)
      if (found !== true) failures.push({ index, found })
    }
    const messages = new AdmissionRun({ ...facts, answers: undefined }, run.left, variables)
    const decisions: Decision[] = []
    for (const { index, found } of failures) {
      const validation = validations[index]
      if (validation === undefined) continue
      if (found instanceof CelError) {
        if (!ignoresFailure) decisions.push(failed(index, problemText(validation, found)))
        continue
      }
      const message = await messageOf(validation, messages)
      if (typeof message === 'string') decisions.push({ index, message, reason: validation.reason })
      else if (!ignoresFailure)
        decisions.push(failed(index, `failed messageExpression: ${message.message}`))
    }
    return decisions
  }

  #act(binding: PolicyBinding, decisions: readonly Decision[]): void {
    const { name: policy } = this.#policy
    for (const { index, message, reason } of decisions) {
      for (const action of binding.actions) {
        if (action === 'Deny') this.#deny(binding, message, reason)
        else if (action === 'Warn')
          this.#asker.warn([
            `Validation failed for ValidatingAdmissionPolicy '${policy}' with binding '${binding.name}': ${message}`,
          ])
        else if (action === 'Audit') {
          const failure = {
            message,
            policy,
            binding: binding.name,
            expressionIndex: index,
            validationActions: binding.actions,
          }
          this.#asker.annotate(FAILURE_KEY, JSON.stringify([failure]))
        }
      }
    }
  }

  #deny(binding: PolicyBinding | undefined, message: string, reason: ValidationReason): void {
    this.denials.push({ policy: this.#policy.name, binding: binding?.name, message, reason })
  }

  async #annotate(binding: PolicyBinding, facts: AdmissionFacts): Promise<void> {
    const { annotations, variables, ignoresFailure } = this.#policy
    if (annotations.length === 0) return
    const run = new AdmissionRun({ ...facts, answers: undefined }, POLICY_STEPS_MAX, variables)
    for (const annotation of annotations) {
      const { key, program } = annotation
      const found = program instanceof CelError ? program : await run.evaluate(program)
      if (typeof found === 'string') this.#note(key, found.trim())
      else if (found instanceof CelError && !ignoresFailure)
        this.#deny(binding, problemText(annotation, found), 'Invalid')
    }
  }

  #note(key: string, value: string): void {
    if (value === '') return
    const values = this.#notes.get(key) ?? new Set()
    this.#notes.set(key, values.add(value.slice(0, ANNOTATION_CHARACTERS_MAX)))
  }
}

function failed(index: number, message: string): Decision {
  return { index, message, reason: 'Invalid' }
}

/** Why an expression has come to nothing. */
function problemText(
  { expression, program }: Validation | AuditAnnotation,
  error: CelError,
): string {
  return error === program
    ? `compilation error: ${error.message}`
    : `expression '${expression}' resulted in error: ${error.message}`
}

/** What is said of a validation that does not hold; an error where nothing more may be evaluated. */
async function messageOf(
  { expression, message, messageProgram }: Validation,
  run: AdmissionRun,
): Promise<string | BudgetError> {
  try {
    const isMade = messageProgram !== undefined && !(messageProgram instanceof CelError)
    const made = isMade ? await run.evaluate(messageProgram) : undefined
    const text = typeof made === 'string' ? made.trim() : ''
    const isShown = Buffer.byteLength(text) <= MESSAGE_BYTES_MAX && !text.includes('\n')
    return (isShown && text) || message || `failed expression: ${expression.trim()}`
  } catch (error) {
    if (error instanceof BudgetError) return error
    throw error
  }
}
