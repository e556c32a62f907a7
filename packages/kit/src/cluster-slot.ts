/** CRC-16/XMODEM by byte, as the Cluster specification prescribes (polynomial 0x1021). */
const table: Uint16Array = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8
  for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1
  return crc
})

/** The Cluster slot of a key, 0 to 16,383: of the part between its first braces, if that is not empty. O(length). */
export function slotOf(key: string): number {
  const open = key.indexOf('{')
  const close = open < 0 ? -1 : key.indexOf('}', open + 1)
  const hashed = close > open + 1 ? key.slice(open + 1, close) : key
  let crc = 0
  for (const byte of Buffer.from(hashed)) crc = ((crc << 8) ^ table[(crc >>> 8) ^ byte]!) & 0xffff
  return crc & 0x3fff
}
