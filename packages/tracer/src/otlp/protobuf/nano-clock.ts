const TWO_32 = 0x1_0000_0000

/**
 * Turns milliseconds on the tracer's clock into nanoseconds since 1970, in two 32-bit limbs: one double has a resolution of
 * 256 ns there, and a BigInt costs an allocation.
 */
export class NanoClock {
  #epoch = Number.NaN
  #high = 0
  #low = 0

  /** Epoch milliseconds of the clock's zero, to whole microseconds. */
  setEpoch(epoch: number): void {
    if (epoch === this.#epoch) return
    this.#epoch = epoch
    const nanos = BigInt(Math.round(epoch * 1_000)) * 1_000n
    this.#high = Number(nanos >> 32n)
    this.#low = Number(nanos & 0xffff_ffffn)
  }

  /** Writes a little-endian fixed64 at `pos`. */
  write(view: DataView, pos: number, time: number): void {
    const nanos = Math.round(time * 1e6)
    const high = Math.floor(nanos / TWO_32)
    const low = nanos - high * TWO_32 + this.#low
    const carry = low >= TWO_32 ? 1 : 0
    view.setUint32(pos, low - carry * TWO_32, true)
    view.setUint32(pos + 4, high + this.#high + carry, true)
  }
}
