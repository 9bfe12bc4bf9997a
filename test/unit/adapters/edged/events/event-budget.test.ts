import { expect, test } from 'vitest'
import {
  EVENT_BUDGET,
  EventBudgets,
} from '../../../../../src/adapters/edged/events/event-budget.ts'

/** How many of `tries` are told at one moment. */
function told(budgets: EventBudgets, object: string, tries: number): number {
  return Array.from({ length: tries }, () => budgets.take(object)).filter(Boolean).length
}

test('so much at once is told of each object, and then one more every five minutes', () => {
  let nowMs = 0
  const budgets = new EventBudgets({ monotonicMs: () => nowMs })
  expect(told(budgets, 'a', 100)).toBe(25)
  expect(told(budgets, 'b', 3)).toBe(3)
  nowMs += 299_999
  expect(told(budgets, 'a', 100)).toBe(0)
  nowMs += 1
  expect(told(budgets, 'a', 100)).toBe(1)
  nowMs += 600_000
  expect(told(budgets, 'a', 100)).toBe(2)
  nowMs += 86_400_000
  expect(told(budgets, 'a', 100)).toBe(25)
})

test('one that fails every second is told of a few times an hour', () => {
  let nowMs = 0
  const budgets = new EventBudgets({ monotonicMs: () => nowMs })
  let count = 0
  for (; nowMs < 3_600_000; nowMs += 1_000) if (budgets.take('a')) count += 1
  expect(count).toBe(25 + 11)
})

test('only so many objects are remembered', () => {
  const budgets = new EventBudgets({ monotonicMs: () => 0 })
  expect(told(budgets, 'first', 100)).toBe(25)
  for (let index = 0; index < EVENT_BUDGET.objectsMax; index += 1) budgets.take(`other ${index}`)
  expect(told(budgets, 'first', 100)).toBe(25)
})
