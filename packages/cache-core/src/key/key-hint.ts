/** 2^32 divided by the golden ratio: spreads neighbouring numbers evenly (Knuth, TAOCP 6.4). */
const GOLDEN = 0x9e3779b1

/**
 * 32 bits by which a key may be found again: cheap, not unique and easy to make collide, so a caller checks whether the
 * key is the same. Of a string it reads the length and the last three or four characters, which is where ids are; a
 * `Map` has to load the hash that the string keeps, and often goes through a few other keys.
 *
 * @param many whether there are so many keys that three characters tell too few of them apart: each that is read is a tenth of a hit
 */
export function hintOf(key: string | number, many: boolean): number {
  if (typeof key === 'number') return Math.imul(key | 0, GOLDEN)
  const { length } = key
  if (length < 4) return length === 0 ? 0 : Math.imul(key.charCodeAt(length - 1) + length, GOLDEN)
  const end =
    key.charCodeAt(length - 1) |
    (key.charCodeAt(length - 2) << 8) |
    (key.charCodeAt(length - 3) << 16) |
    (many ? key.charCodeAt(length - 4) << 24 : 0)
  return Math.imul(end + length, GOLDEN)
}
