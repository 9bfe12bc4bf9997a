import type { Json } from '../../objects/types.ts'
import { type Draft, isList, isObject, sameJson, setOwn } from '../json.ts'
import { badRequest, StatusError } from '../status.ts'

/** How many operations one patch may have: the limit of kube-apiserver. */
const OPERATIONS_MAX = 10_000

/** `copy` may not let the document grow past this many characters in all. */
const COPIED_CHARACTERS_MAX = 3 * 1024 * 1024

interface Operation {
  readonly op: string
  readonly path: readonly string[]
  readonly pointer: string
  readonly from: readonly string[]
  readonly value: Json | undefined
}

/**
 * Applies a JSON patch (RFC 6902) to a copy of a document.
 *
 * @throws StatusError: 400 when it is not a JSON patch, 422 when it does not fit the document, a
 * failed `test` among them; nothing is applied then.
 */
export function applyJsonPatch(document: Json, patch: Json): Json {
  if (!isList(patch))
    throw badRequest('json: cannot unmarshal object into Go value of type jsonpatch.Patch')
  if (patch.length > OPERATIONS_MAX) {
    throw new StatusError(
      'RequestEntityTooLarge',
      `The allowed maximum operations in a JSON patch is ${OPERATIONS_MAX}, got ${patch.length}`,
    )
  }
  const operations = patch.map(parseOperation)
  let root = document
  let copied = 0
  for (const operation of operations) {
    if (operation.op === 'copy')
      copied += JSON.stringify(read(root, operation.from, operation) ?? null).length
    if (copied > COPIED_CHARACTERS_MAX)
      throw new StatusError('RequestEntityTooLarge', 'the patch copies too much')
    root = apply(root, operation)
  }
  return root
}

function parseOperation(entry: Json): Operation {
  const bad = (why: string): Error =>
    new StatusError(
      'Invalid',
      `the server rejected our request due to an error in our request: ${why}`,
    )
  if (!isObject(entry)) throw bad('an operation is not an object')
  const op = entry['op']
  if (typeof op !== 'string' || !/^(add|remove|replace|move|copy|test)$/.test(op)) {
    throw bad(`unexpected kind of operation: ${JSON.stringify(op ?? null)}`)
  }
  const pointer = entry['path']
  if (typeof pointer !== 'string') throw bad(`operation ${op} has no path`)
  const needsFrom = op === 'move' || op === 'copy'
  const from = entry['from']
  if (needsFrom && typeof from !== 'string') throw bad(`operation ${op} has no from`)
  const needsValue = op === 'add' || op === 'replace' || op === 'test'
  const hasValue = Object.hasOwn(entry, 'value')
  if (needsValue && !hasValue && op !== 'test') throw bad(`operation ${op} has no value`)
  return {
    op,
    pointer,
    path: parsePointer(pointer),
    from: typeof from === 'string' && needsFrom ? parsePointer(from) : [],
    value: entry['value'] ?? null,
  }
}

function parsePointer(pointer: string): readonly string[] {
  if (pointer === '') return []
  if (!pointer.startsWith('/'))
    throw new StatusError(
      'Invalid',
      `the server rejected our request due to an error in our request: the path "${pointer}" does not begin with "/"`,
    )
  return pointer
    .slice(1)
    .split('/')
    .map((part) => part.replace(/~1/g, '/').replace(/~0/g, '~'))
}

function apply(root: Json, operation: Operation): Json {
  const { op, path, from, value = null } = operation
  switch (op) {
    case 'add':
      return edit(root, path, operation, 'add', value)
    case 'remove':
      return edit(root, path, operation, 'remove')
    case 'replace':
      return edit(root, path, operation, 'replace', value)
    case 'move': {
      if (path.length > from.length && from.every((part, index) => part === path[index])) {
        throw unfit(operation, 'cannot move a value into itself')
      }
      const moved = read(root, from, operation)
      return edit(edit(root, from, operation, 'remove'), path, operation, 'add', moved)
    }
    case 'copy':
      return edit(root, path, operation, 'add', read(root, from, operation))
    default:
      if (!sameJson(read(root, path, operation, true) ?? null, value)) {
        throw unfit(operation, `testing value ${operation.pointer} failed`)
      }
      return root
  }
}

function read(root: Json, path: readonly string[], operation: Operation, isLenient = false): Json {
  let current: Json | undefined = root
  for (const [index, part] of path.entries()) {
    if (isList(current)) current = current[itemIndex(part, current.length, operation)]
    else if (isObject(current) && Object.hasOwn(current, part)) current = current[part]
    else if (isLenient && index === path.length - 1 && isObject(current)) return null
    else throw unfit(operation, `doc is missing path: "/${path.join('/')}"`)
  }
  return current ?? null
}

function edit(
  root: Json,
  path: readonly string[],
  operation: Operation,
  how: string,
  value: Json = null,
): Json {
  const [part, ...rest] = path
  if (part === undefined) return how === 'remove' ? null : value
  if (isList(root)) {
    const isLast = rest.length === 0
    const isInsert = isLast && how === 'add'
    const index =
      isInsert && part === '-'
        ? root.length
        : itemIndex(part, root.length + (isInsert ? 1 : 0), operation)
    const copy = [...root]
    if (isInsert) copy.splice(index, 0, value)
    else if (isLast && how === 'remove') copy.splice(index, 1)
    else copy[index] = edit(root[index] ?? null, rest, operation, how, value)
    return copy
  }
  if (!isObject(root)) throw unfit(operation, `doc is missing path: "${operation.pointer}"`)
  const copy: Draft = { ...root }
  const isThere = Object.hasOwn(root, part)
  if (rest.length > 0) {
    if (!isThere) throw unfit(operation, `doc is missing path: "${operation.pointer}"`)
    setOwn(copy, part, edit(root[part] ?? null, rest, operation, how, value))
  } else if (how === 'add' || how === 'replace') {
    setOwn(copy, part, value)
  } else if (!isThere) {
    throw unfit(operation, `doc is missing key: "${operation.pointer}"`)
  } else {
    delete copy[part]
  }
  return copy
}

function itemIndex(part: string, length: number, operation: Operation): number {
  if (!/^(0|[1-9]\d{0,9})$/.test(part) || Number(part) >= length) {
    throw unfit(operation, `index "${part}" is out of bounds`)
  }
  return Number(part)
}

function unfit(operation: Operation, why: string): StatusError {
  return new StatusError(
    'Invalid',
    `the server rejected our request due to an error in our request: ${operation.op} operation does not apply: ${why}`,
  )
}
