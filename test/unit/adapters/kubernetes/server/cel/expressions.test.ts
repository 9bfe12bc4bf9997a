import { describe, expect, test } from 'vitest'
import { compile } from '../../../../../../src/adapters/kubernetes/server/cel/program.ts'
import {
  type CelType,
  DYN,
  parseType,
} from '../../../../../../src/adapters/kubernetes/server/cel/types.ts'
import type { Value } from '../../../../../../src/adapters/kubernetes/server/cel/values.ts'

const text: CelType = { kind: 'string' }
const port: CelType = {
  kind: 'object',
  fields: new Map<string, CelType>([
    ['name', text],
    ['port', { kind: 'int' }],
    ['protocol', text],
  ]),
}
const self: CelType = {
  kind: 'object',
  fields: new Map<string, CelType>([
    ['min', { kind: 'int' }],
    ['max', { kind: 'int' }],
    ['ratio', { kind: 'double' }],
    ['name', text],
    ['ports', { kind: 'list', item: port }],
    ['labels', { kind: 'map', key: text, value: text }],
    ['any', DYN],
    ['when', { kind: 'timestamp' }],
    ['x__dash__y', text],
  ]),
}

function map(fields: Readonly<Record<string, Value>>): Value {
  return new Map<Value, Value>(Object.entries(fields))
}

const VALUE = map({
  min: 1n,
  max: 3n,
  ratio: 1.5,
  name: 'web',
  ports: [map({ name: 'http', port: 80n }), map({ name: 'tls', port: 443n, protocol: 'TCP' })],
  labels: map({ a: 'b', c: 'd' }),
  any: 5n,
  when: { special: 'timestamp', amount: 1_700_000_000_000_000_000n },
  x__dash__y: 'dashed',
})

function evaluate(source: string, steps = 100_000): Value {
  const program = compile(source, { self, oldSelf: self })
  return program.run({ self: VALUE, oldSelf: VALUE }, { left: steps })
}

describe('is true', () => {
  test.each([
    'self.min <= self.max',
    'self == oldSelf',
    'self.ports == oldSelf.ports',
    'self.name in ["web", "db"]',
    '"a" in self.labels',
    'self.labels.all(k, k.size() == 1 && self.labels[k] != "")',
    'self.labels.all(k, v, k < v)',
    'self.ports.all(p, p.port > 0 && p.port < 65536)',
    'self.ports.exists_one(p, p.name == "http")',
    'self.ports.map(p, p.port).sum() == 523',
    'self.ports.filter(p, has(p.protocol)).size() == 1',
    'has(self.ports[1].protocol) && !has(self.ports[0].protocol)',
    '!has(self.labels.x)',
    'self.?name.orValue("none") == "web"',
    'self.labels[?"x"].orValue("none") == "none"',
    'self.ports[?7].hasValue() == false',
    'optional.of(3).optMap(x, x + 1).value() == 4',
    'self.x__dash__y == "dashed"',
    'self.any == 5 && type(self.any) == int',
    'self.any == 5.0 && self.ratio > 1',
    'self.min < 1.5 && 2u > 1',
    '1 + 2 * 3 == 7 && 7 % 4 == 3 && -5 / 2 == -2',
    '"%s has %d, %.1f, %x".format(["a", 2, 1.25, 255]) == "a has 2, 1.3, ff"',
    '"a,b,c".split(",") == ["a", "b", "c"] && ["a", "b"].join("-") == "a-b"',
    '"hello".matches("^h.*o$") && !"hello".matches("z")',
    '"abc 123 def 456".findAll("[0-9]+") == ["123", "456"] && "a1b2".find("[0-9]") == "1"',
    '"tacocat".lastIndexOf("a") == 5 && "tacocat".indexOf("a", 2) == 5',
    '"über".size() == 4 && "über".charAt(1) == "b" && "ABC".lowerAscii() == "abc"',
    '"hello hello".replace("he", "we", 1) == "wello hello"',
    '" a ".trim() == "a" && "abc".substring(1, 2) == "b"',
    '[1, 3, 2].min() == 1 && [1, 3, 2].max() == 3 && ![1, 3, 2].isSorted()',
    '[1, 2, 2].indexOf(2) == 1 && [1, 2, 2].lastIndexOf(2) == 2',
    '[3, 1, 2].sort() == [1, 2, 3] && [1, 1].distinct() == [1] && [[1], [2]].flatten() == [1, 2]',
    '[1, 2, 3].slice(1, 3) == [2, 3] && lists.range(3) == [0, 1, 2] && [1, 2].reverse() == [2, 1]',
    'self.ports.sortBy(p, -p.port)[0].name == "tls"',
    'sets.contains([1, 2], [1]) && sets.equivalent([1, 1], [1]) && !sets.intersects([1], [2])',
    '[1, 2].transformList(i, v, v * i) == [0, 2]',
    '{"a": 1}.transformMap(k, v, v + 1) == {"a": 2}',
    'duration("1h30m").getMinutes() == 90 && duration("90s") > duration("1m")',
    'timestamp("2024-01-01T00:00:00Z") + duration("1h") == timestamp("2024-01-01T01:00:00Z")',
    'timestamp("2024-03-05T06:07:08Z").getMonth() == 2',
    'timestamp("2024-03-05T06:07:08Z").getHours("+02:00") == 8',
    'string(duration("1.5s")) == "1.5s" && string(timestamp(0)) == "1970-01-01T00:00:00Z"',
    'self.when.getFullYear() == 2023',
    'quantity("1Gi").isGreaterThan(quantity("1M")) && quantity("50k").add(20000).asInteger() == 70000',
    'isQuantity("200M") && !isQuantity("200Q") && quantity("-1").sign() == -1',
    'url("https://example.com:80/path?k=a&k=b").getPort() == "80" && isURL("/a") && !isURL("../a")',
    'url("https://user@example.com/p").getHost() == "example.com"',
    'ip("192.168.0.1").family() == 4 && isIP("::1") && ip("::1").isLoopback()',
    'ip.isCanonical("2001:db8::abcd") && !ip.isCanonical("2001:DB8::ABCD")',
    'cidr("192.168.0.0/24").containsIP("192.168.0.9") && cidr("10.0.0.0/8").containsCIDR("10.1.0.0/16")',
    'string(cidr("192.168.0.9/24").masked()) == "192.168.0.0/24"',
    'semver("1.2.3").isLessThan(semver("1.10.0")) && isSemver("v1.0", true) && !isSemver("v1.0")',
    '!format.dns1123Label().validate("a-name").hasValue()',
    'format.dns1123Label().validate("A").hasValue()',
    'cel.bind(x, self.min + 1, x * x) == 4',
    'true || 1 / 0 == 1',
    '1 / 0 == 1 || true',
    'int("4") == 4 && double("1.5") == 1.5 && string(5) == "5" && bool("true")',
    'b"abc" == bytes("abc") && size(b"abc") == 3',
    'self.labels == {"c": "d", "a": "b"}',
    'dyn([1, "a"])[1] == "a"',
    'self.min == 1 ? true : false',
  ])('%s', (source) => {
    expect(evaluate(source)).toBe(true)
  })
})

describe('does not compile', () => {
  test.each([
    ['self.mon == 1', "undefined field 'mon'"],
    ['has(self.mon)', "undefined field 'mon'"],
    ['other == 1', "undeclared reference to 'other' (in container '')"],
    ['self.min + "a"', "found no matching overload for '_+_' applied to '(int, string)'"],
    ['self.min == "a"', "found no matching overload for '_==_' applied to '(int, string)'"],
    ['self.name.fly()', "undeclared reference to 'fly' (in container '')"],
    [
      'self.name.startsWith(1)',
      "found no matching overload for 'startsWith' applied to 'string.(int)'",
    ],
    ['self.min.all(x, true)', "expression of type 'int' cannot be range of a comprehension"],
    ['self.ports.all(p, p.port)', "expected type 'bool' but found 'int'"],
    ['self.min &&', 'Syntax error'],
    ['has(self)', 'invalid argument to has() macro'],
  ])('%s', (source, why) => {
    expect(() => compile(source, { self, oldSelf: self })).toThrow(why)
  })

  test('the place is shown as cel-go shows it', () => {
    expect(() => compile('self.mon == 1', { self })).toThrow(
      "ERROR: <input>:1:5: undefined field 'mon'\n | self.mon == 1\n | ....^",
    )
  })
})

describe('fails', () => {
  test.each([
    ['self.ports[0].protocol == "TCP"', 'no such key: protocol'],
    ['self.ports[9].name == ""', 'index out of bounds: 9'],
    ['self.min / 0 == 1', 'division by zero'],
    ['self.any.startsWith("a")', 'no such overload'],
    ['9223372036854775807 + 1 > 0', 'integer overflow'],
    ['quantity("x").sign() == 0', 'quantities must match the regular expression'],
    ['optional.none().value() == 1', 'optional.none() dereference'],
  ])('%s', (source, why) => {
    expect(() => evaluate(source)).toThrow(why)
  })

  test.each(['"%s".format([LIST])', 'LIST.map(a, "%s".format([a])).join("")'])(
    'a text of values that are there many times over: %s',
    (source) => {
      const list = `["a"]${'.map(a, [a, a])'.repeat(60)}`
      expect(() => evaluate(`${source.replaceAll('LIST', list)} == ""`)).toThrow(
        'cost limit exceeded',
      )
    },
  )

  test('a comparison of optional values that are there many times over', () => {
    const list = `["a"]${'.map(a, [optional.of(a), optional.of(a)])'.repeat(40)}`
    expect(() => evaluate(`${list} == ${list}`)).toThrow('cost limit exceeded')
  })

  test('a text that is much longer than what it is made of', () => {
    const long = `"${'x'.repeat(1_000)}"`
    expect(() => evaluate(`lists.range(2000).map(i, ${long}).join("") == ""`)).toThrow(
      'cost limit exceeded',
    )
    expect(evaluate('["a", "b"].join("-")')).toBe('a-b')
  })

  test('what takes too many steps', () => {
    const loop = 'lists.range(1000).all(a, lists.range(1000).all(b, a + b >= 0))'
    expect(() => evaluate(loop)).toThrow('operation cancelled: actual cost limit exceeded')
  })
})

test('the variables that are used are known', () => {
  expect([...compile('self.min > oldSelf.min', { self, oldSelf: self }).used]).toEqual([
    'self',
    'oldSelf',
  ])
  expect([...compile('self.min > 1', { self, oldSelf: self }).used]).toEqual(['self'])
})

test('types are read as signatures write them', () => {
  expect(parseType('map<string, list<A>>')).toEqual({
    kind: 'map',
    key: { kind: 'string' },
    value: { kind: 'list', item: { kind: 'parameter', name: 'A' } },
  })
})
