/** Keys as applications make them: about 20 characters, none of them an array index. */
export function keys(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `user:profile:${index}`)
}
