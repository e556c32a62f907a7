import { describe, expect, it } from 'vitest'
import { Dashboard } from '../dashboard.ts'
import { InvalidOptionError, Registry } from '../index.ts'

interface Snapshot {
  readonly marks: readonly { readonly time: number; readonly text: string }[]
}

async function marksOf(dashboard: Dashboard): Promise<Snapshot['marks']> {
  const request = new Request('http://localhost/snapshot.json')
  const response = await dashboard.fetch(request, { remoteAddress: '127.0.0.1' })
  return ((await response.json()) as Snapshot).marks
}

describe('Dashboard.mark', () => {
  it('keeps what happened and when, for those who look later', async () => {
    using dashboard = new Dashboard({ registry: new Registry() })
    const before = Date.now()
    dashboard.mark('deployed')
    const [mark] = await marksOf(dashboard)
    expect(mark?.text).toBe('deployed')
    expect(mark?.time).toBeGreaterThanOrEqual(before)
  })

  it('sends it to those who look now', async () => {
    using dashboard = new Dashboard({ registry: new Registry() })
    const request = new Request('http://localhost/events')
    const stream = await dashboard.fetch(request, { remoteAddress: '127.0.0.1' })
    const reader = stream.body!.pipeThrough(new TextDecoderStream()).getReader()
    let text = (await reader.read()).value!
    dashboard.mark('upstream killed')
    while (!text.includes('event: mark')) text += (await reader.read()).value
    expect(text).toMatch(
      /event: mark\ndata: \{"time":\d+,"elapsed":[\d.]+,"text":"upstream killed"\}/,
    )
    await reader.cancel()
  })

  it('keeps the last hundred, and refuses what is no short text', async () => {
    using dashboard = new Dashboard({ registry: new Registry() })
    for (let i = 0; i < 150; i++) dashboard.mark(`${i}`)
    const texts = (await marksOf(dashboard)).map(({ text }) => text)
    expect([texts.length, texts[0], texts.at(-1)]).toEqual([100, '50', '149'])
    for (const text of ['', 'x'.repeat(81), 7 as never])
      expect(() => dashboard.mark(text)).toThrow(InvalidOptionError)
  })
})
