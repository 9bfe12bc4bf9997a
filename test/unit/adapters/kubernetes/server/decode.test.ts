import { describe, expect, test } from 'vitest'
import {
  canonicalQuantity,
  quantityNano,
} from '../../../../../src/adapters/kubernetes/objects/quantity.ts'
import type { Json, JsonObject } from '../../../../../src/adapters/kubernetes/objects/types.ts'
import { parseObject, parseYaml } from '../../../../../src/adapters/kubernetes/server/body.ts'
import { inspectJson } from '../../../../../src/adapters/kubernetes/server/json-text.ts'
import { decodeProtobuf } from '../../../../../src/adapters/kubernetes/server/protobuf/decode.ts'
import { decodeTyped } from '../../../../../src/adapters/kubernetes/server/schema/decode.ts'
import {
  type StructType,
  structType,
} from '../../../../../src/adapters/kubernetes/server/schema/schema.ts'

function typeOf(name: string): StructType {
  const type = structType(name)
  if (type === undefined) throw new Error(`no type ${name}`)
  return type
}

describe('quantities', () => {
  test.each([
    ['1000m', '1'],
    ['1024Mi', '1Gi'],
    ['0.5', '500m'],
    ['100m', '100m'],
    ['1Gi', '1Gi'],
    ['1.5Gi', '1536Mi'],
    ['2e3', '2e3'],
    ['1500', '1500'],
    ['1000', '1k'],
    ['0', '0'],
    ['-1', '-1'],
    ['512Ki', '512Ki'],
    ['0.1Ki', '102400m'],
    ['1n', '1n'],
    ['.5', '500m'],
    ['123456789012345678', '123456789012345678'],
  ])('%s is %s', (text, expected) => {
    expect(canonicalQuantity(text)).toBe(expected)
  })
  test.each(['', 'x', '1 Gi', '1gi', 'm', '--1', '1e', 'e5', '1'.repeat(100)])(
    '%s is none',
    (text) => {
      expect(quantityNano(text)).toBeUndefined()
    },
  )
})

describe('decodeTyped', () => {
  test('drops what means nothing, as Go does, and keeps explicit zeros of pointers', () => {
    const { value, unknown } = decodeTyped(typeOf('core.PodSpec'), {
      hostNetwork: false,
      nodeName: '',
      tolerations: [],
      nodeSelector: {},
      terminationGracePeriodSeconds: 0,
      securityContext: {},
      priority: null,
      containers: [{ name: 'c', resources: { limits: { cpu: '1000m' } }, nope: 1 }],
      extra: {},
    } as unknown as JsonObject)
    expect(value).toEqual({
      terminationGracePeriodSeconds: 0,
      securityContext: {},
      containers: [{ name: 'c', resources: { limits: { cpu: '1' } } }],
    })
    expect(unknown).toEqual(['containers[0].nope', 'extra'])
  })

  test.each<[string, JsonObject, RegExp]>([
    [
      'core.ConfigMap',
      { data: { a: 1 } },
      /cannot unmarshal number into Go struct field ConfigMap.data of type string/,
    ],
    [
      'core.ConfigMap',
      { metadata: [] },
      /cannot unmarshal array into Go struct field ConfigMap.metadata of type v1.ObjectMeta/,
    ],
    ['core.Secret', { data: { a: '%' } }, /illegal base64 data at input byte 0/],
    [
      'core.PodSpec',
      { priority: 1.5 },
      /cannot unmarshal number 1.5 into Go struct field PodSpec.priority of type int32/,
    ],
    ['core.PodSpec', { priority: 2 ** 31 }, /of type int32/],
    ['core.PodSpec', { hostNetwork: 'yes' }, /of type bool/],
    ['core.ResourceRequirements', { limits: { cpu: 'lots' } }, /quantities must match/],
    ['meta.ObjectMeta', { creationTimestamp: 'yesterday' }, /parsing time "yesterday"/],
  ])('%s %j is refused', (name, value, message) => {
    expect(() => decodeTyped(typeOf(name), value)).toThrow(message)
  })

  test('times are in UTC, to the second or the microsecond', () => {
    expect(
      decodeTyped(typeOf('meta.ObjectMeta'), { creationTimestamp: '2026-01-01T02:00:00.9+02:00' })
        .value,
    ).toEqual({ creationTimestamp: '2026-01-01T00:00:00Z' })
    expect(
      decodeTyped(typeOf('coordination.LeaseSpec'), { renewTime: '2026-01-01T00:00:00.12Z' }).value,
    ).toEqual({ renewTime: '2026-01-01T00:00:00.120000Z' })
  })
})

/** Writes protobuf, the other way round: enough of it to test the reading. */
function encode(type: StructType, value: JsonObject): Buffer {
  const parts: Buffer[] = []
  for (const [number, field] of type.wire) {
    if ('inline' in field) {
      parts.push(bytes(number, encode(field.inline, value)))
      continue
    }
    const item = value[field.name]
    if (item === undefined) continue
    const items = field.shape === 'list' ? (item as Json[]) : [item]
    for (const one of items) {
      if (field.shape !== 'map') parts.push(encodeValue(number, field.type, one))
      else {
        for (const [key, entry] of Object.entries(one as JsonObject)) {
          parts.push(
            bytes(
              number,
              Buffer.concat([
                bytes(1, Buffer.from(key)),
                encodeValue(2, field.type, entry ?? null),
              ]),
            ),
          )
        }
      }
    }
  }
  return Buffer.concat(parts)
}

function encodeValue(number: number, type: string, value: Json): Buffer {
  const struct = structType(type)
  if (struct !== undefined) return bytes(number, encode(struct, value as JsonObject))
  if (type === 'bool') return varintField(number, value === true ? 1n : 0n)
  if (type === 'int32' || type === 'int64') return varintField(number, BigInt(value as number))
  if (type === 'bytes') return bytes(number, Buffer.from(value as string, 'base64'))
  if (type === 'quantity') return bytes(number, bytes(1, Buffer.from(value as string)))
  if (type === 'intOrString') {
    return bytes(
      number,
      typeof value === 'number'
        ? varintField(2, BigInt(value))
        : Buffer.concat([varintField(1, 1n), bytes(3, Buffer.from(value as string))]),
    )
  }
  if (type === 'time')
    return bytes(number, varintField(1, BigInt(Date.parse(value as string) / 1000)))
  return bytes(number, Buffer.from(value as string))
}

function varint(value: bigint): Buffer {
  const out: number[] = []
  let rest = BigInt.asUintN(64, value)
  for (; rest >= 0x80n; rest >>= 7n) out.push(Number(rest & 0x7fn) | 0x80)
  return Buffer.from([...out, Number(rest)])
}
const varintField = (number: number, value: bigint): Buffer =>
  Buffer.concat([varint(BigInt(number) << 3n), varint(value)])
const bytes = (number: number, value: Uint8Array): Buffer =>
  Buffer.concat([varint((BigInt(number) << 3n) | 2n), varint(BigInt(value.length)), value])

function envelope(apiVersion: string, kind: string, raw: Uint8Array): Buffer {
  const meta = Buffer.concat([bytes(1, Buffer.from(apiVersion)), bytes(2, Buffer.from(kind))])
  return Buffer.concat([Buffer.from('k8s\0'), bytes(1, meta), bytes(2, raw)])
}

describe('protobuf', () => {
  const pod: JsonObject = {
    metadata: {
      name: 'p',
      labels: { a: 'b', empty: '' },
      creationTimestamp: '2026-01-01T00:00:00Z',
      finalizers: ['x/y'],
    },
    spec: {
      volumes: [{ name: 'v', configMap: { name: 'cm', defaultMode: 420 } }],
      containers: [
        {
          name: 'c',
          image: 'i',
          ports: [{ containerPort: 80 }],
          resources: { limits: { cpu: '500m' } },
          env: [
            { name: 'E', valueFrom: { secretKeyRef: { name: 's', key: 'k', optional: false } } },
          ],
          livenessProbe: { httpGet: { path: '/', port: 'web' }, periodSeconds: -1 },
          readinessProbe: { tcpSocket: { port: 8080 } },
        },
      ],
      terminationGracePeriodSeconds: 0,
    },
  }

  test('a pod comes out as it went in', () => {
    const type = typeOf('core.Pod')
    const { apiVersion, kind, value } = decodeProtobuf(envelope('v1', 'Pod', encode(type, pod)))
    expect({ apiVersion, kind }).toEqual({ apiVersion: 'v1', kind: 'Pod' })
    expect(decodeTyped(type, value).value).toEqual({ apiVersion, kind, ...pod })
  })

  test('any cut or flipped byte is refused or read, never more', () => {
    const good = envelope('v1', 'Pod', encode(typeOf('core.Pod'), pod))
    const refusals: unknown[] = []
    for (let index = 0; index < good.length; index++) {
      const flipped = Buffer.from(good)
      flipped[index] = (flipped[index] ?? 0) ^ 0xff
      for (const broken of [good.subarray(0, index), flipped]) {
        try {
          decodeProtobuf(broken)
        } catch (error) {
          refusals.push(error)
        }
      }
    }
    expect(refusals.length).toBeGreaterThan(good.length)
    for (const error of refusals) expect(error).toMatchObject({ code: 400, reason: 'BadRequest' })
  })

  test('kinds that are not known are named', () => {
    expect(() => decodeProtobuf(envelope('v9', 'Nope', Buffer.alloc(0)))).toThrow(
      /no kind "Nope" is registered for version "v9"/,
    )
  })
})

/** The least of a few tries, as other programs run beside this one. */
function cpuMsOf(text: string): number {
  const bytes = Buffer.from(text)
  const tries = [1, 2, 3].map(() => {
    const before = process.cpuUsage()
    parseYaml(bytes)
    const { user, system } = process.cpuUsage(before)
    return (user + system) / 1_000
  })
  return Math.min(...tries)
}

describe('texts', () => {
  test('fields given twice are found, strings are not looked into', () => {
    expect(
      inspectJson(
        '{"a":{"b":1,"b":2},"c":[{"d":1},{"d":1,"d":2}],"e":"{\\"x\\":1,\\"x\\":2}","a":1}',
      ).duplicates,
    ).toEqual(['a.b', 'c[1].d', 'a'])
  })

  test('YAML, and JSON as YAML', () => {
    expect(parseYaml(Buffer.from('a: 1\nb: [x]\n')).value).toEqual({ a: 1, b: ['x'] })
    expect(parseObject(Buffer.from('{"a": "b"}'), 'application/yaml; charset=utf-8').value).toEqual(
      { a: 'b' },
    )
    expect(parseYaml(Buffer.from('a: 1\na: 2\n')).duplicates).toEqual([
      'line 2: key "a" already set in map',
    ])
    expect(parseYaml(Buffer.from('{a: b, c: [d]}')).value).toEqual({ a: 'b', c: ['d'] })
    expect(parseYaml(Buffer.from('{"a": 1,\n"a": 2}')).duplicates).toEqual([
      'line 2: key "\\"a\\"" already set in map',
    ])
    const bomb = [
      'a: &a [x,x,x,x,x,x,x,x,x]',
      ...'bcdefgh'
        .split('')
        .map(
          (name, index) => `${name}: &${name} [${Array(9).fill(`*${'abcdefg'[index]}`).join(',')}]`,
        ),
    ].join('\n')
    expect(() => parseYaml(Buffer.from(bomb))).toThrow(/yaml/)
  })

  test('YAML comes to what JSON has: texts for bytes, maps and lists for what is tagged', () => {
    for (const head of ['', '%YAML 1.2\n---\n']) {
      const read = (text: string): unknown => parseYaml(Buffer.from(head + text)).value
      expect(read('a: !!binary aGVs\nb: !!binary |\n  aGVs\n  bG8=\n')).toEqual({
        a: 'hel',
        b: 'hello',
      })
      expect(() => read('a: !!binary "?"')).toThrow('invalid base64 data')
      expect(read('a: !!set {x, z}')).toEqual({ a: { x: null, z: null } })
      expect(read('a: !!omap [x: 1]')).toEqual({ a: [{ x: 1 }] })
      expect(read('a: !!pairs [x: 1, x: 2]')).toEqual({ a: [{ x: 1 }, { x: 2 }] })
      expect(read('a: [0o644, -0O1_7, 0o8, "0o7"]')).toEqual({ a: [0o644, -15, '0o8', '0o7'] })
      expect(() => read('a: .inf')).toThrow('json: unsupported value: +Inf')
      expect(() => read('a: [-.inf]')).toThrow('json: unsupported value: -Inf')
      expect(() => read('.nan: .nan')).toThrow('json: unsupported value: NaN')
    }
  })

  test('JSON that is applied is read as what it is, and not as YAML', () => {
    const texts = [
      '{"a":"\\u00e9\\n","b":1.5,"c":1e3,"d":-0.25,"e":[{}],"f":null,"g":true,"h":"2026-01-01","i":"<<"}',
      '{"<<":{"a":1},"yes":"no","012":"0x1f","":[[],{"x y":"- z: 1"}]}',
    ]
    for (const text of texts) {
      const expected = JSON.parse(text) as unknown
      expect(parseYaml(Buffer.from(text)).value).toEqual(expected)
    }
    const wide = Object.fromEntries(
      Array.from({ length: 800 }, (_, i) => [`key-${i}`, { type: 'object', is: ['x', i] }]),
    )
    const text = JSON.stringify(wide)
    expect(cpuMsOf(` ${text}`) / cpuMsOf(text)).toBeGreaterThan(3)
  })

  test('YAML with many keys or aliases takes no more than its share of time', () => {
    const keys = Array.from({ length: 10_000 }, (_, i) => `k${i}: v`)
    const apart = keys.map((key, i) => (i % 10 === 0 ? `- ${key}` : `  ${key}`))
    // Each key was compared with all before it, which took four times as long.
    expect(cpuMsOf(keys.join('\n')) / cpuMsOf(apart.join('\n'))).toBeLessThan(2.5)
    expect(parseYaml(Buffer.from('b: {k: 1, k: 2}\na: 1\nb: 2\na: 3\n'))).toEqual({
      value: { a: 3, b: 2 },
      duplicates: [
        'line 1: key "k" already set in map',
        'line 3: key "b" already set in map',
        'line 4: key "a" already set in map',
      ],
    })
    const aliases = (count: number): Buffer => Buffer.from(`a: &a x\nb:\n${'- *a\n'.repeat(count)}`)
    expect(parseYaml(aliases(90)).value).toMatchObject({ a: 'x' })
    expect(() => parseYaml(aliases(2_000))).toThrow(/excessive aliasing/)
  }, 60_000)

  test('bytes that are no text are refused', () => {
    expect(() => parseObject(Buffer.from([0xff, 0xfe]), undefined)).toThrow(/not valid UTF-8/)
  })
})
