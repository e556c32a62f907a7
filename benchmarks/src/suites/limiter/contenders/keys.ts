/** Keys as services use them: an address with a port, about 20 characters. */
export function keys(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `client:10.0.${index >> 8}.${index & 255}`)
}
