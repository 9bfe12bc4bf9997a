/** A number as Go's `%v` writes a float: with an exponent from 1e+21 on, or for less than 0.0001. */
export function floatText(value: number): string {
  const size = Math.abs(value)
  if (size !== 0 && (size < 1e-4 || size >= 1e21)) {
    return value.toExponential().replace(/e([+-])(\d)$/, 'e$10$2')
  }
  return String(value)
}
