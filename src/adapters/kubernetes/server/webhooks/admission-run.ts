import { setImmediate } from 'node:timers/promises'
import type { Json, JsonObject } from '../../objects/types.ts'
import { authorizerValue, resourceCheckValue } from '../cel/authorization.ts'
import type { Program } from '../cel/program.ts'
import type { Meter } from '../cel/scope.ts'
import { CelError, type Value } from '../cel/values.ts'
import { ruleValue } from '../custom/rule-values.ts'
import { objectAt, textAt } from '../json.ts'
import { type AuthorizerAnswers, UnansweredError } from './authorizer-answers.ts'

/** What one expression may cost, in steps. */
const EXPRESSION_STEPS_MAX = 1_000_000

/** What the conditions of one webhook or policy may cost together. */
export const CONDITIONS_STEPS_MAX = 2_500_000

/** What the validations of one policy may cost together, for one binding and one set of parameters. */
export const POLICY_STEPS_MAX = 10_000_000

/** After so many steps others get their turn before the next expression. */
const TURN_STEPS = 50_000

/** The budget of all expressions together is used up: nothing more is evaluated. */
export class BudgetError extends Error {
  constructor() {
    super(
      'validation failed due to running out of cost budget, no further validation rules will be run',
    )
    this.name = 'BudgetError'
  }
}

/** What the expressions about one request see. */
export interface AdmissionFacts {
  /** The variables `object`, `oldObject`, `request` and more, by name. */
  readonly values: Readonly<Record<string, Value>>
  /** Undefined where expressions may not ask what somebody may do. */
  readonly answers: AuthorizerAnswers | undefined
  /** What `authorizer.requestResource` is about. */
  readonly request: JsonObject
  /** What all evaluations of these facts have cost since others had their turn, in steps. */
  readonly turn: { steps: number }
}

/** A value of JSON as expressions of admission see it, where nothing is known of its type. */
export function admissionValue(value: Json | undefined): Value {
  return ruleValue(value ?? null, undefined, false)
}

/**
 * What expressions see of a request.
 *
 * @param request the `request` of the question that a webhook would get.
 */
export function factsOf(
  request: JsonObject,
  answers: AuthorizerAnswers | undefined,
): AdmissionFacts {
  const { object, oldObject, uid: _, ...rest } = request
  const values = {
    object: admissionValue(object),
    oldObject: admissionValue(oldObject),
    // What the question leaves out is not there for expressions either.
    request: admissionValue(rest),
    namespaceObject: null,
    ...(answers === undefined ? {} : { authorizer: authorizerValue((to) => answers.answer(to)) }),
  }
  return { values, answers, request, turn: { steps: 0 } }
}

/** An expression that others use by its name. */
export interface NamedExpression {
  readonly name: string
  readonly program: Program | CelError
}

/** Evaluates expressions about one request, which share a budget and the values of their variables. */
export class AdmissionRun {
  readonly #facts: AdmissionFacts
  readonly #variables: ReadonlyMap<string, NamedExpression>
  readonly #values: Readonly<Record<string, Value>>
  readonly #found = new Map<string, Value | CelError>()
  #left: number

  /** @param stepsMax what all expressions may cost together. */
  constructor(facts: AdmissionFacts, stepsMax: number, variables: readonly NamedExpression[] = []) {
    this.#facts = facts
    this.#left = stepsMax
    this.#variables = new Map(variables.map((variable) => [variable.name, variable]))
    const names = new Map<Value, Value>(variables.map(({ name }) => [name, true]))
    this.#values = { ...facts.values, variables: names }
  }

  /** What is left of the budget, in steps. */
  get left(): number {
    return this.#left
  }

  /**
   * What an expression comes to, or why it fails.
   *
   * @throws BudgetError when it costs more than is left.
   */
  async evaluate(program: Program): Promise<Value | CelError> {
    for (;;) {
      const { turn } = this.#facts
      if (turn.steps > TURN_STEPS) {
        turn.steps = 0
        await setImmediate()
      }
      try {
        return this.#metered(program)
      } catch (error) {
        if (error instanceof CelError) return error
        if (!(error instanceof UnansweredError) || this.#facts.answers === undefined) throw error
        await this.#facts.answers.ask(error.action)
      }
    }
  }

  /** Evaluates a part, and takes what it costs from the budget. */
  #metered(program: Program): Value {
    const most = Math.min(EXPRESSION_STEPS_MAX, this.#left)
    const meter: Meter = { left: most }
    let isCounted = true
    try {
      return program.run(this.#values, meter, (name) => this.#lookUp(name))
    } catch (error) {
      // What is evaluated again costs its steps once; variables that are known by then are not.
      isCounted = !(error instanceof UnansweredError)
      if (meter.left < 0 && most < EXPRESSION_STEPS_MAX) throw new BudgetError()
      throw error
    } finally {
      const spent = most - Math.max(0, meter.left)
      this.#facts.turn.steps += spent
      if (isCounted) this.#left = Math.max(0, this.#left - spent)
    }
  }

  #lookUp(name: string): Value {
    const { answers, request } = this.#facts
    if (name === 'authorizer.requestResource') {
      if (answers === undefined) return null
      const about = {
        group: textAt(objectAt(request, 'requestResource'), 'group'),
        resource: textAt(objectAt(request, 'requestResource'), 'resource'),
        subresource: textAt(request, 'requestSubResource'),
        namespace: textAt(request, 'namespace'),
        name: textAt(request, 'name'),
      }
      return resourceCheckValue((action) => answers.answer(action), about)
    }
    return this.#variable(name.slice(name.indexOf('.') + 1))
  }

  /** The value of a variable, worked out when it is first used. */
  #variable(name: string): Value {
    const variable = this.#variables.get(name)
    if (variable === undefined) return null
    let found = this.#found.get(name)
    if (found === undefined) {
      found = this.#computed(variable)
      this.#found.set(name, found)
    }
    if (found instanceof CelError) throw found
    return found
  }

  #computed({ name, program }: NamedExpression): Value | CelError {
    const what = `composited variable ${JSON.stringify(name)} fails to`
    if (program instanceof CelError) return new CelError(`${what} compile: ${program.message}`)
    try {
      return this.#metered(program)
    } catch (error) {
      if (!(error instanceof CelError)) throw error
      return new CelError(`${what} evaluate: ${error.message}`)
    }
  }
}
