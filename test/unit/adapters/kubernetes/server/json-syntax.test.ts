import { describe, expect, test } from 'vitest'
import { jsonSyntaxError } from '../../../../../src/adapters/kubernetes/server/json-syntax.ts'

describe('jsonSyntaxError', () => {
  test.each([
    ['', 'unexpected end of JSON input'],
    ['{', 'unexpected end of JSON input'],
    ['{"a":', 'unexpected end of JSON input'],
    ['"a', 'unexpected end of JSON input'],
    ['x', "invalid character 'x' looking for beginning of value"],
    ['{"a":1,}', "invalid character '}' looking for beginning of object key string"],
    ['{a:1}', "invalid character 'a' looking for beginning of object key string"],
    ['{"a" 1}', "invalid character '1' after object key"],
    ['{"a":1 "b"}', "invalid character '\"' after object key:value pair"],
    ['[1 2]', "invalid character '2' after array element"],
    ['[1,]', "invalid character ']' looking for beginning of value"],
    ['{} x', "invalid character 'x' after top-level value"],
    ['nope', "invalid character 'o' in literal null (expecting 'u')"],
    ['-x', "invalid character 'x' in numeric literal"],
    ['1.x', "invalid character 'x' after decimal point in numeric literal"],
    ['1ex', "invalid character 'x' in exponent of numeric literal"],
    ['"\\q"', "invalid character 'q' in string escape code"],
    ['"\\u00g"', "invalid character 'g' in \\u hexadecimal character escape"],
    ['"\n"', "invalid character '\\n' in string literal"],
  ])('%s', (text, expected) => {
    expect(jsonSyntaxError(text)).toBe(expected)
  })

  test.each(['{}', '[]', ' [{"a":[]},{"b":{}}] ', '"x"', '-1.5e+3', 'null', '{"a":{"b":[1,2]}}'])(
    '%s is JSON',
    (text) => {
      expect(jsonSyntaxError(text)).toBeUndefined()
    },
  )
})
