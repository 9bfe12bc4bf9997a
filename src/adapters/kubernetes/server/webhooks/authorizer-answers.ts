import { accountGroups, accountUserName, type User } from '../../identity/user.ts'
import { type Authorize, verdictOf } from '../authorization.ts'
import { actionKey, type CheckedAction, type CheckedDecision } from '../cel/authorization.ts'

/** Ends an evaluation that needs an answer which is not there yet; it is made again when it is. */
export class UnansweredError extends Error {
  readonly action: CheckedAction

  constructor(action: CheckedAction) {
    super('an answer of the authorizer is needed first')
    this.name = 'UnansweredError'
    this.action = action
  }
}

/**
 * What an authorizer says of the actions that expressions ask about, for one request. Expressions are
 * evaluated at one go and an authorizer may take its time: so it is asked between two evaluations, and
 * each question once.
 */
export class AuthorizerAnswers {
  readonly #authorize: Authorize | undefined
  readonly #user: User
  readonly #known = new Map<string, CheckedDecision>()

  constructor(authorize: Authorize | undefined, user: User) {
    this.#authorize = authorize
    this.#user = user
  }

  /**
   * The answer to a question.
   *
   * @throws UnansweredError where it is not known yet.
   */
  answer(action: CheckedAction): CheckedDecision {
    const known = this.#known.get(actionKey(action))
    if (known === undefined) throw new UnansweredError(action)
    return known
  }

  /** Asks the authorizer. Never rejects: what went wrong is in the answer. */
  async ask(action: CheckedAction): Promise<void> {
    this.#known.set(actionKey(action), await this.#decided(action))
  }

  async #decided(action: CheckedAction): Promise<CheckedDecision> {
    const { account, fieldSelector, labelSelector: _, ...attributes } = action
    const selected = fieldSelector === '' ? {} : { fieldSelector }
    // A path has no version; a resource is meant in each of its.
    const version = action.path === '' ? '*' : ''
    try {
      const asked = { ...attributes, ...selected, version }
      const verdict = await verdictOf(this.#authorize, this.#userOf(account), asked)
      return { ...verdict, error: '' }
    } catch (error) {
      const text = error instanceof Error ? error.message : 'the authorizer failed'
      return { allowed: false, reason: '', error: text }
    }
  }

  #userOf(account: string | undefined): User {
    const [namespace = '', name = ''] = account?.split('/') ?? []
    if (account === undefined) return this.#user
    return {
      name: accountUserName({ namespace, name }),
      groups: [...accountGroups(namespace), 'system:authenticated'],
    }
  }
}
