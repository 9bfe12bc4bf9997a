/** A first Ctrl-C stops the fleet in order, a second one leaves it as it is. */
export class Interruption {
  happened = false
  onSignal: () => void = () => undefined
  readonly #listener: () => void = () => {
    if (this.happened) process.exit(130)
    this.happened = true
    process.stdout.write('\nstopping everything; again to leave it as it is\n')
    this.onSignal()
  }

  constructor() {
    process.on('SIGINT', this.#listener)
    process.on('SIGTERM', this.#listener)
  }

  close(): void {
    process.off('SIGINT', this.#listener)
    process.off('SIGTERM', this.#listener)
  }
}
