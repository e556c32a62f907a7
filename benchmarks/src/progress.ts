/** A line on stderr that overwrites itself on a terminal and stays silent in a log. */
export function progressLine(stream: NodeJS.WriteStream = process.stderr): {
  show(message: string): void
  clear(): void
} {
  if (!stream.isTTY) return { show: () => undefined, clear: () => undefined }
  return {
    show: message => stream.write(`\r\x1b[2K${message.slice(0, stream.columns - 1)}`),
    clear: () => stream.write('\r\x1b[2K'),
  }
}
