/**
 * A guide's code with limits that do not pass by themselves where the machine stands still for some seconds: tokens that do not come back
 * meanwhile, and calls that are not given up.
 */
export function patientCode(code: string): string {
  // How long to wait for a token is printed there, and nothing is waited for in between.
  const rated = code.includes('retryAfter')
    ? code
    : code.replaceAll('({ rate: 1,', '({ rate: 0.001,')
  return rated.replaceAll(/\b(total|hard)Timeout: \d_000\b/g, '$1Timeout: 60_000')
}
