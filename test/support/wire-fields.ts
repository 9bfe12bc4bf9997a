/** The fields of one protobuf message, by number: as much of the format as tests look at. */
export class Wire {
  readonly #fields = new Map<number, Uint8Array[]>()

  constructor(bytes: Uint8Array) {
    let at = 0
    const varint = (): number => {
      let value = 0
      for (let shift = 0; ; shift += 7) {
        const byte = bytes[at++] ?? 0
        value += (byte & 0x7f) * 2 ** shift
        if (byte < 0x80) return value
      }
    }
    while (at < bytes.length) {
      const key = varint()
      if ((key & 7) !== 2) {
        varint()
        continue
      }
      const length = varint()
      const field = this.#fields.get(key >> 3) ?? []
      field.push(bytes.subarray(at, at + length))
      this.#fields.set(key >> 3, field)
      at += length
    }
  }

  /** Empty where the field is absent. */
  text(field: number): string {
    return new TextDecoder().decode(this.#fields.get(field)?.[0])
  }

  /** An empty message where the field is absent. */
  message(field: number): Wire {
    return new Wire(this.#fields.get(field)?.[0] ?? new Uint8Array())
  }

  messages(field: number): readonly Wire[] {
    return (this.#fields.get(field) ?? []).map((bytes) => new Wire(bytes))
  }
}
