import type { Json, JsonObject } from '../../objects/types.ts'
import { isList, isObject, listAt, objectAt, sameJson, textAt } from '../json.ts'
import { type Cause, duplicate, forbiddenField, invalidValue, required } from '../kinds/checks.ts'
import { checkDefaults } from './default-checks.ts'
import { followPath } from './field-path.ts'
import { readSchema } from './schema.ts'
import { checkSchema } from './schema-checks.ts'
import { checkStructure } from './structure-checks.ts'

// What is wrong with one version of a definition.

const WARNING_BYTES_MAX = 256
const SELECTABLE_MAX = 8
const COLUMN_TYPES = ['boolean', 'date', 'integer', 'number', 'string']
const COLUMN_FORMATS = [
  'byte',
  'date',
  'date-time',
  'double',
  'float',
  'int32',
  'int64',
  'password',
]

/** The parts of a version that are said above the versions when all have the same. */
type PartName = 'schema' | 'subresources' | 'additionalPrinterColumns' | 'selectableFields'

/** Where a part stands that all versions share. */
const SHARED: Readonly<Record<PartName, string>> = {
  schema: 'spec.validation',
  subresources: 'spec.subresources',
  additionalPrinterColumns: 'spec.additionalPrinterColumns',
  selectableFields: 'spec.selectableFields',
}

const PARTS = Object.keys(SHARED) as readonly PartName[]

/** The parts that all versions have, and have the same. */
export function sharedParts(versions: readonly JsonObject[]): ReadonlySet<PartName> {
  const [first] = versions
  return new Set(
    PARTS.filter(
      (part) =>
        first?.[part] !== undefined &&
        versions.every((version) => sameJson(version[part], first[part])),
    ),
  )
}

/** What is wrong with the parts that all versions share. */
export function checkShared(
  version: JsonObject | undefined,
  shared: ReadonlySet<PartName>,
): readonly Cause[] {
  if (version === undefined) return []
  return PARTS.filter((part) => shared.has(part)).flatMap((part) =>
    partCauses(version, part, SHARED[part]),
  )
}

/** Everything that is wrong with a version of a definition, its name and what it shares apart. */
export function checkVersion(
  version: JsonObject,
  path: string,
  shared: ReadonlySet<PartName>,
): readonly Cause[] {
  return [
    ...warningCauses(version, path),
    ...PARTS.filter((part) => !shared.has(part)).flatMap((part) =>
      partCauses(version, part, `${path}.${part}`),
    ),
  ]
}

function partCauses(version: JsonObject, part: PartName, path: string): readonly Cause[] {
  const schema = objectAt(version, 'schema')['openAPIV3Schema']
  const subresources = objectAt(version, 'subresources')
  switch (part) {
    case 'schema':
      return isObject(schema)
        ? schemaCauses(schema, `${path}.openAPIV3Schema`, 'status' in subresources)
        : []
    case 'subresources':
      return scaleCauses(subresources, path)
    case 'additionalPrinterColumns':
      return listAt(version, part).flatMap((column, index) =>
        columnCauses(column, `${path}[${index}]`),
      )
    case 'selectableFields':
      return selectableCauses(version, schema, path)
  }
}

function warningCauses(version: JsonObject, path: string): readonly Cause[] {
  const warning = version['deprecationWarning']
  if (warning === undefined) return []
  const field = `${path}.deprecationWarning`
  const refused = (text: string): readonly Cause[] => [invalidValue(field, warning, text)]
  if (version['deprecated'] !== true) return refused('can only be set for deprecated versions')
  if (warning === '') return refused('must not be an empty string')
  return Buffer.byteLength(String(warning)) > WARNING_BYTES_MAX
    ? refused(`must be <= ${WARNING_BYTES_MAX} characters long`)
    : []
}

/** What the root of a schema may say where the status is a part of its own. */
const AT_ROOT = [
  'Description',
  'Type',
  'Format',
  'Title',
  'Maximum',
  'ExclusiveMaximum',
  'Minimum',
  'ExclusiveMinimum',
  'MaxLength',
  'MinLength',
  'Pattern',
  'MaxItems',
  'MinItems',
  'UniqueItems',
  'MultipleOf',
  'Required',
  'Items',
  'Properties',
  'ExternalDocs',
  'Example',
  'XPreserveUnknownFields',
  'XValidations',
]

/** The name of a field of a schema as Go has it. */
function goName(key: string): string {
  const plain = key
    .replace(/^x-kubernetes-/, 'X-')
    .replace(/-(\w)/g, (_all, letter: string) => letter.toUpperCase())
  return plain.charAt(0).toUpperCase() + plain.slice(1)
}

function rootCauses(schema: JsonObject, path: string): readonly Cause[] {
  const type = textAt(schema, 'type')
  if (type !== '' && type !== 'object')
    return [
      invalidValue(
        `${path}.type`,
        type,
        'only "object" is allowed as the type at the root of the schema if the status subresource is enabled',
      ),
    ]
  const isOver = Object.keys(schema).some((key) => !AT_ROOT.includes(goName(key)))
  const text = `only [${AT_ROOT.join(' ')}] fields are allowed at the root of the schema if the status subresource is enabled`
  return isOver ? [invalidValue(path, schema, text)] : []
}

function schemaCauses(schema: JsonObject, path: string, hasStatus: boolean): readonly Cause[] {
  const causes: Cause[] = [...(hasStatus ? rootCauses(schema, path) : [])]
  if (schema['nullable'] === true)
    causes.push(forbiddenField(`${path}.nullable`, 'nullable cannot be true at the root'))
  // A schema that says this cannot be read as a structural one.
  const structure = refusesUnknown(schema) ? [] : checkStructure(path, schema)
  const defaults = structure.length > 0 ? [] : checkDefaults(readSchema(schema), path)
  const isSound = structure.length + defaults.length === 0
  const place = { path, isRoot: true, isStructural: true }
  return [...causes, ...structure, ...defaults, ...checkSchema(schema, place, isSound)]
}

function refusesUnknown(value: Json): boolean {
  if (isList(value)) return value.some(refusesUnknown)
  if (!isObject(value)) return false
  if (value['x-kubernetes-preserve-unknown-fields'] === false) return true
  return Object.values(value).some((item) => item !== undefined && refusesUnknown(item))
}

function pathCauses(path: string, field: string): readonly Cause[] {
  return path.startsWith('.')
    ? []
    : [invalidValue(field, path, 'must be a simple json path starting with .')]
}

function scaleCauses(subresources: JsonObject, path: string): readonly Cause[] {
  const scale = subresources['scale']
  if (!isObject(scale)) return []
  const under = (key: string, roots: readonly string[], text: string): readonly Cause[] => {
    const value = textAt(scale, key)
    const field = `${path}.scale.${key}`
    if (value === '') return key === 'labelSelectorPath' ? [] : [required(field)]
    const simple = pathCauses(value, field)
    if (simple.length > 0 || roots.some((root) => value.startsWith(root))) return simple
    return [invalidValue(field, value, text)]
  }
  return [
    ...under('specReplicasPath', ['.spec.'], 'should be a json path under .spec'),
    ...under('statusReplicasPath', ['.status.'], 'should be a json path under .status'),
    ...under(
      'labelSelectorPath',
      ['.spec.', '.status.'],
      'should be a json path under either .spec or .status',
    ),
  ]
}

function columnCauses(column: Json, path: string): readonly Cause[] {
  const causes: Cause[] = []
  const [name, type, format, jsonPath] = ['name', 'type', 'format', 'jsonPath'].map((key) =>
    textAt(column, key),
  ) as [string, string, string, string]
  const types = `must be one of ${COLUMN_TYPES.join(',')}`
  if (name === '') causes.push(required(`${path}.name`))
  if (type === '') causes.push(required(`${path}.type`, types))
  else if (!COLUMN_TYPES.includes(type)) causes.push(invalidValue(`${path}.type`, type, types))
  if (format !== '' && !COLUMN_FORMATS.includes(format))
    causes.push(
      invalidValue(`${path}.format`, format, `must be one of ${COLUMN_FORMATS.join(',')}`),
    )
  if (jsonPath === '') causes.push(required(`${path}.JSONPath`))
  else causes.push(...pathCauses(jsonPath, `${path}.JSONPath`))
  return causes
}

function selectableCauses(
  version: JsonObject,
  source: Json | undefined,
  path: string,
): readonly Cause[] {
  const fields = listAt(version, 'selectableFields')
  if (fields.length === 0) return []
  if (!isObject(source)) {
    const text = 'may only be set when `version.schema.openAPIV3Schema` is not included'
    return [invalidValue(path, '', text)]
  }
  const schema = readSchema(source)
  const seen = new Set<string>()
  const causes = fields.flatMap((item, index): readonly Cause[] => {
    const field = `${path}[${index}].jsonPath`
    const jsonPath = textAt(item, 'jsonPath')
    if (jsonPath === '') return [required(field)]
    const found = followPath(jsonPath, schema, false)
    if (typeof found === 'string')
      return [invalidValue(field, jsonPath, `is an invalid path: ${found}`)]
    const isRepeated = seen.has(found.path)
    seen.add(found.path)
    const isScalar = ['string', 'boolean', 'integer'].includes(found.schema.type)
    return [
      ...(/^\.metadata(\.|$)/.test(found.path)
        ? [invalidValue(field, jsonPath, 'must not point to fields in metadata')]
        : []),
      ...(isScalar
        ? []
        : [
            invalidValue(
              field,
              jsonPath,
              'must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.',
            ),
          ]),
      ...(isRepeated ? [duplicate(field, jsonPath)] : []),
    ]
  })
  if (seen.size <= SELECTABLE_MAX) return causes
  const message = `Too many: ${seen.size}: must have at most ${SELECTABLE_MAX} items`
  return [...causes, { reason: 'FieldValueTooMany', field: path, message }]
}
