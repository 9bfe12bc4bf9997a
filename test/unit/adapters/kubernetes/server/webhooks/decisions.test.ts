import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compile } from '../../../../../../src/adapters/kubernetes/server/cel/program.ts'
import { DYN, INT } from '../../../../../../src/adapters/kubernetes/server/cel/types.ts'
import {
  readAnswer,
  reviewRequest,
} from '../../../../../../src/adapters/kubernetes/server/webhooks/admission-review.ts'
import {
  type AdmissionFacts,
  AdmissionRun,
  CONDITIONS_STEPS_MAX,
  factsOf,
} from '../../../../../../src/adapters/kubernetes/server/webhooks/admission-run.ts'
import { AuthorizerAnswers } from '../../../../../../src/adapters/kubernetes/server/webhooks/authorizer-answers.ts'
import { CONDITION_VARIABLES } from '../../../../../../src/adapters/kubernetes/server/webhooks/condition-types.ts'
import {
  type AskedResource,
  meantVersion,
  ruleMeans,
} from '../../../../../../src/adapters/kubernetes/server/webhooks/rule-match.ts'
import { conditionsHold } from '../../../../../../src/adapters/kubernetes/server/webhooks/selection.ts'
import {
  type Webhook,
  webhooksOf,
} from '../../../../../../src/adapters/kubernetes/server/webhooks/webhook.ts'
import {
  CallError,
  refusalOf,
} from '../../../../../../src/adapters/kubernetes/server/webhooks/webhook-errors.ts'

const STATUS: AskedResource = {
  group: 'apps',
  version: 'v1',
  plural: 'deployments',
  subresource: 'status',
  namespaced: true,
}
const WHOLE: AskedResource = { ...STATUS, subresource: '' }

function webhook(hook: object): Webhook {
  const [found] = webhooksOf({
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingWebhookConfiguration',
    metadata: { name: 'test' },
    webhooks: [{ name: 'a.example.com', clientConfig: { url: 'https://here' }, ...hook }],
  })
  if (found === undefined) throw new Error('no webhook')
  return found
}

const rule = (more: object): object => ({
  apiGroups: ['apps'],
  apiVersions: ['v1'],
  operations: ['CREATE', 'UPDATE'],
  resources: ['deployments'],
  ...more,
})

describe('who is meant', () => {
  test.each([
    [rule({}), WHOLE, true],
    [rule({}), STATUS, false],
    [rule({ resources: ['deployments/status'] }), STATUS, true],
    [rule({ resources: ['deployments/*'] }), WHOLE, true],
    [rule({ resources: ['*/status'] }), STATUS, true],
    [rule({ resources: ['*/status'] }), WHOLE, false],
    [rule({ resources: ['*'] }), STATUS, false],
    [rule({ resources: ['*/*'] }), STATUS, true],
    [rule({ operations: ['DELETE'] }), WHOLE, false],
    [rule({ operations: ['*'] }), WHOLE, true],
    [rule({ scope: 'Cluster' }), WHOLE, false],
    [rule({ scope: 'Namespaced' }), WHOLE, true],
    [rule({ apiGroups: ['*'], apiVersions: ['*'] }), WHOLE, true],
  ])('%j', (given, asked, isMeant) => {
    const [found] = webhook({ rules: [given] }).rules
    expect(found !== undefined && ruleMeans(found, 'UPDATE', asked)).toBe(isMeant)
  })

  test('a version that says the same is as good, unless the webhook is exact', () => {
    const other = { ...WHOLE, version: 'v1beta1' }
    const rules = [rule({ apiVersions: ['v1beta1'] })]
    expect(meantVersion(webhook({ rules }), 'CREATE', WHOLE, [other])).toBe(other)
    const exact = webhook({ rules, matchPolicy: 'Exact' })
    expect(meantVersion(exact, 'CREATE', WHOLE, [other])).toBeUndefined()
  })

  test('a condition that is false decides; a broken one is for the policy', async () => {
    const subject = {
      operation: 'CREATE',
      user: { name: 'me', groups: ['us'] },
      name: 'n',
      namespace: 'default',
      dryRun: false,
      options: {},
      object: { kind: 'ConfigMap', data: { a: 'x' } },
      old: undefined,
    } as const
    const version = { kind: {}, resource: {}, subresource: '' }
    const request = reviewRequest('u', subject, version, version)
    const holds = async (expressions: readonly string[], more: object = {}): Promise<unknown> => {
      const { conditions, ignoresFailure } = webhook({
        matchConditions: expressions.map((expression) => ({ expression })),
        ...more,
      })
      const facts = factsOf(request, new AuthorizerAnswers(undefined, { name: 'me', groups: [] }))
      const run = new AdmissionRun(facts, CONDITIONS_STEPS_MAX)
      return await conditionsHold(conditions, ignoresFailure, run)
    }
    expect(await holds(["object.data.a == 'x'", "'us' in request.userInfo.groups"])).toBe(true)
    expect(await holds(['oldObject == null', "request.operation == 'DELETE'"])).toBe(false)
    expect(await holds(['object.none.such == 1', "request.name == 'other'"])).toBe(false)
    expect(await holds(['object.none.such == 1'])).toEqual({
      problem: expect.stringContaining('no such key') as string,
    })
    expect(await holds(['object.none.such == 1'], { failurePolicy: 'Ignore' })).toBe(false)
    expect(await holds(["authorizer.requestResource.check('get').allowed()"])).toBe(true)
  })
})

describe('what evaluations cost', () => {
  const MANY = 'lists.range(1000).map(a, a).map(a, a).map(a, a).size()'
  const factsFor = (): AdmissionFacts =>
    factsOf({}, new AuthorizerAnswers(undefined, { name: 'me', groups: [] }))
  const types = { ...CONDITION_VARIABLES, 'variables.much': INT, variables: DYN }

  test('a variable that is known when an answer comes is paid for, and once', async () => {
    const much = { name: 'much', program: compile(MANY, {}) }
    const costOf = async (expression: string): Promise<number> => {
      const run = new AdmissionRun(factsFor(), 2_000_000, [much])
      expect(await run.evaluate(compile(expression, types))).toBe(true)
      return 2_000_000 - run.left
    }
    const check = "authorizer.requestResource.check('get').allowed()"
    const alone = await costOf('variables.much > 0')
    expect(alone).toBeGreaterThan(3_000)
    const asking = (await costOf(`variables.much > 0 && ${check}`)) - (await costOf(check))
    expect(asking).toBeGreaterThan(alone * 0.9)
    expect(asking).toBeLessThan(alone * 1.1)
  })

  test('others get their turn between many short evaluations of one request', async () => {
    const facts = factsFor()
    const program = compile(MANY, types)
    let turns = 0
    let isOver = false
    const count = (): void => {
      turns += 1
      if (!isOver) setImmediate(count)
    }
    setImmediate(count)
    for (let index = 0; index < 100; index += 1)
      await new AdmissionRun({ ...facts }, CONDITIONS_STEPS_MAX).evaluate(program)
    isOver = true
    expect(turns).toBeGreaterThan(3)
  })
})

describe('answers', () => {
  const bytes = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value))
  const review = (response: unknown): unknown => ({
    kind: 'AdmissionReview',
    apiVersion: 'admission.k8s.io/v1',
    response,
  })

  test('any bytes are an answer or an error that says why', () => {
    const read = (given: Uint8Array, isMutating: boolean): void => {
      try {
        readAnswer(given, 'u', 'v1', isMutating)
      } catch (error) {
        expect(error).toBeInstanceOf(CallError)
      }
    }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (given, isMutating) => {
        read(given, isMutating)
      }),
    )
    const fields = fc.record(
      {
        uid: fc.oneof(fc.constant('u'), fc.jsonValue()),
        allowed: fc.jsonValue(),
        patch: fc.oneof(fc.base64String(), fc.jsonValue()),
        patchType: fc.oneof(fc.constant('JSONPatch'), fc.jsonValue()),
        status: fc.jsonValue(),
        warnings: fc.jsonValue(),
        auditAnnotations: fc.jsonValue(),
      },
      { requiredKeys: [] },
    )
    fc.assert(
      fc.property(fields, fc.boolean(), (response, isMutating) => {
        read(bytes(review(response)), isMutating)
      }),
    )
  })

  test('what is added to an answer is bounded', () => {
    const warnings = Array.from({ length: 1_000 }, () => 'w')
    const auditAnnotations = Object.fromEntries(
      warnings.map((_, index) => [`k${index}`, 'v'.repeat(20_000)]),
    )
    const answer = readAnswer(
      bytes(review({ uid: 'u', allowed: true, warnings, auditAnnotations })),
      'u',
      'v1',
      false,
    )
    expect(answer.warnings).toHaveLength(1_000)
    expect(Object.keys(answer.annotations)).toHaveLength(32)
    expect(answer.annotations['k0']).toHaveLength(10_240)
  })

  test.each([
    [undefined, 400, 'without explanation'],
    [{ code: 200, status: 'Success', reason: 'Odd' }, 400, ': Odd'],
    [{ code: 418, message: 'no' }, 418, ': no'],
    [{ code: 99_999 }, 400, 'without explanation'],
    [{ code: 'x', message: 5, details: [] }, 400, 'without explanation'],
  ])('a refusal is a failure whatever it says of itself: %j', (result, code, text) => {
    const { status } = refusalOf('a.example.com', result as never)
    expect(status).toMatchObject({ status: 'Failure', code })
    expect(String(status['message'])).toContain(text)
  })
})
