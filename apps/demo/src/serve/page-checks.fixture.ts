import type { Page } from 'playwright-core'

/** Something within the window that moved up or down without being asked to, and from where to where. */
export interface Shift {
  readonly moved: readonly string[]
}

/** In pixels. What moves by less is the same number with another digit. */
const SEEN = 1

/** Records what moves on a page; to be called before the page is opened. What a press or a key sets off is not counted. */
export async function recordShifts(page: Page): Promise<void> {
  await page.addInitScript(`
    window.shifts = []
    new PerformanceObserver(list => {
      for (const { hadRecentInput, sources } of list.getEntries()) {
        if (hadRecentInput) continue
        const moved = sources
          .filter(({ previousRect, currentRect }) => Math.abs(previousRect.y - currentRect.y) >= ${SEEN})
          .map(({ node, previousRect, currentRect }) =>
            (node?.id || node?.parentElement?.id || node?.nodeName) + ' ' + previousRect.y + ' to ' + currentRect.y)
        if (moved.length > 0) window.shifts.push({ moved })
      }
    }).observe({ type: 'layout-shift', buffered: true })`)
}

/** What moved since the last call. */
export const takeShifts = (page: Page): Promise<Shift[]> =>
  page.evaluate<Shift[]>('window.shifts.splice(0)')

/** Texts whose contrast to what is behind them is below 4.5, with it. */
export const faintTexts = (page: Page): Promise<string[]> =>
  page.evaluate<string[]>(`(() => {
    const pixel = document.createElement('canvas').getContext('2d', { willReadFrequently: true })
    const rgba = color => {
      pixel.clearRect(0, 0, 1, 1)
      pixel.fillStyle = color
      pixel.fillRect(0, 0, 1, 1)
      const [r, g, b, a] = pixel.getImageData(0, 0, 1, 1).data
      return [r, g, b, a / 255]
    }
    const over = ([r, g, b, a], under) =>
      [r, g, b].map((each, i) => each * a + under[i] * (1 - a)).concat(1)
    const behind = element => {
      const layers = []
      for (let each = element; each; each = each.parentElement) layers.unshift(rgba(getComputedStyle(each).backgroundColor))
      return layers.reduce((under, layer) => over(layer, under), rgba('Canvas'))
    }
    const luminance = color => {
      const [r, g, b] = color.map(each => {
        const share = each / 255
        return share <= 0.03928 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
      })
      return 0.2126 * r + 0.7152 * g + 0.0722 * b
    }
    const faint = []
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
    for (let text; (text = texts.nextNode()); ) {
      const element = text.parentElement
      if (!text.textContent.trim() || element.getClientRects().length === 0) continue
      const style = getComputedStyle(element)
      const back = behind(element)
      const front = over(rgba(element instanceof SVGElement ? style.fill : style.color), back)
      const [more, less] = [luminance(front), luminance(back)].sort((a, b) => b - a)
      const contrast = (more + 0.05) / (less + 0.05)
      if (contrast < 4.5) faint.push(text.textContent.trim().slice(0, 30) + ': ' + contrast.toFixed(1))
    }
    return faint
  })()`)
