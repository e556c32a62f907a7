/* The demo's parts of the live page: scenarios, advice, traces, packages. No markup from data. */
{
  const element = id => document.getElementById(id)
  const make = (tag, properties = {}, ...children) => {
    const node = Object.assign(document.createElement(tag), properties)
    node.append(...children)
    return node
  }
  const draw = (tag, attributes, ...children) => {
    const node = document.createElementNS('http://www.w3.org/2000/svg', tag)
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value)
    node.append(...children)
    return node
  }
  const plot = (label, ...children) =>
    draw(
      'svg',
      { class: 'plot', viewBox: '0 0 320 160', role: 'img', 'aria-label': label },
      ...children,
    )
  const percent = share => `${(share * 100).toFixed(1)} %`
  const count = (number, noun) => `${number.toLocaleString('en')} ${noun}${number === 1 ? '' : 's'}`

  // --- scenarios ---------------------------------------------------------------------------------------------------

  const buttons = new Map()

  function showScenarios(scenarios) {
    for (const { name, title, effect, unavailable, running } of scenarios) {
      let button = buttons.get(name)
      if (button === undefined) {
        button = make('button', { type: 'button', id: name, textContent: title })
        button.addEventListener('click', () => play(name))
        const note = make('span', { id: `${name}-effect`, textContent: unavailable ?? effect })
        button.setAttribute('aria-describedby', note.id)
        element('scenarios').append(make('li', {}, button, note))
        buttons.set(name, button)
      }
      button.disabled = unavailable !== undefined
      button.setAttribute('aria-pressed', running)
    }
  }

  async function play(name) {
    await fetch(`scenarios/${name}`, { method: 'POST', headers: { 'x-millrace-demo': '1' } })
    await refresh()
  }

  // --- cache, levels, traces ---------------------------------------------------------------------------------------

  function showAdvice(advice) {
    const most = Math.max(2, ...advice.map(({ size }) => size))
    const x = size => 40 + (260 * size) / most
    const y = rate => 130 - 110 * rate
    const points = [{ size: 0, hitRate: 0 }, ...advice]
    const label = advice
      .map(({ size, hitRate }) => `${size} x the size: ${percent(hitRate)} hits`)
      .join(', ')
    element('advice').replaceChildren(
      plot(
        label,
        draw('line', { x1: 40, y1: 130, x2: 310, y2: 130 }),
        draw('path', {
          class: 'value',
          d: points
            .map(({ size, hitRate }, i) => `${i ? 'L' : 'M'}${x(size)} ${y(hitRate)}`)
            .join(''),
        }),
        ...advice.flatMap(({ size, hitRate }) => [
          draw('text', { x: x(size) - 14, y: y(hitRate) - 6 }, percent(hitRate)),
          draw('text', { x: x(size) - 8, y: 146 }, `${size}x`),
        ]),
      ),
    )
  }

  function showLifetimes(lifetimes, removals) {
    const most = Math.max(1, ...lifetimes)
    element('lifetimes').replaceChildren(
      plot(
        lifetimes
          .map(
            (entries, i) =>
              `${count(entries, 'entry').replace('entrys', 'entries')} with less than ${i + 1} s`,
          )
          .join(', '),
        ...lifetimes.flatMap((entries, i) => [
          draw('rect', {
            x: 20 + i * 60,
            width: 48,
            y: 130 - (110 * entries) / most,
            height: (110 * entries) / most,
          }),
          draw('text', { x: 30 + i * 60, y: 146 }, `< ${i + 1} s`),
          draw('text', { x: 36 + i * 60, y: 124 - (110 * entries) / most }, entries),
        ]),
      ),
    )
    const gone = Object.entries(removals).filter(([, number]) => number > 0)
    element('removals').textContent =
      `Gone: ${gone.map(([reason, number]) => `${number.toLocaleString('en')} ${reason}`).join(', ') || 'none'}`
  }

  function showLevels(levels, received) {
    const names = {
      trusted: 'files answered without reading',
      reads: 'files read',
      parses: 'sources parsed',
      verified: 'results found to hold',
      computed: 'results computed',
      cutoffs: 'of them cut off, as they came out the same',
    }
    const row = (name, value) =>
      make(
        'tr',
        {},
        make('td', { textContent: name }),
        make('td', { textContent: value.toLocaleString('en') }),
      )
    element('levels').replaceChildren(
      ...Object.entries(names).map(([field, name]) => row(name, levels[field])),
      row('invalidations received from other processes', received),
    )
  }

  let shownTraces = ''

  function showTraces(traces) {
    // Left as they are while nothing is new, so that what is open stays open.
    const key = JSON.stringify(traces)
    if (key === shownTraces) return
    shownTraces = key
    const open = new Set(
      [...element('waterfalls').children].flatMap((each, i) => (each.open ? [i] : [])),
    )
    element('waterfalls').replaceChildren(
      ...traces.map(({ duration, rows }, i) => {
        const bars = rows.map(row => {
          const bar = draw(
            'svg',
            { viewBox: '0 0 1000 10', preserveAspectRatio: 'none', 'aria-hidden': true },
            draw('rect', {
              x: (1000 * row.offset) / duration,
              width: Math.max(3, (1000 * row.duration) / duration),
              height: 10,
            }),
          )
          return make(
            'div',
            { className: row.failed ? 'span failed' : 'span' },
            make('span', {
              className: 'name',
              textContent: ' '.repeat(2 * row.depth) + row.name,
              title: row.name,
            }),
            make('span', { className: 'time', textContent: `${row.duration.toFixed(1)} ms` }),
            bar,
          )
        })
        const summary = make('summary', {
          textContent: `${rows[0].name}, ${duration.toFixed(1)} ms, ${count(rows.length, 'span')}`,
        })
        return make('details', { open: open.has(i) }, summary, ...bars)
      }),
    )
  }

  // --- packages ----------------------------------------------------------------------------------------------------

  const packageButton = ({ name, files }) => {
    const button = make('button', {
      type: 'button',
      textContent: `${name} (${count(files, 'file')})`,
      title: name,
    })
    button.addEventListener('click', () => showPackage(name))
    return button
  }

  async function find() {
    const text = element('query').value.trim()
    const found =
      text === '' ? [] : await (await fetch(`search?q=${encodeURIComponent(text)}`)).json()
    if (text !== element('query').value.trim()) return
    element('found').replaceChildren(
      ...(found.length === 0 && text !== ''
        ? [make('li', { textContent: `No package has ${text} in its name` })]
        : []),
      ...found.map(each => make('li', {}, packageButton(each))),
    )
  }

  async function showPackage(name) {
    const query = name === undefined ? '' : `?around=${encodeURIComponent(name)}`
    const response = await fetch(`graph${query}`)
    if (!response.ok) return
    const centre = await response.json()
    const list = (title, className, packages, more) =>
      make(
        'ul',
        { className },
        make('li', {}, make('b', { textContent: `${title} (${packages.length + more})` })),
        ...packages.map(each => make('li', {}, packageButton(each))),
        ...(more > 0 ? [make('li', { textContent: `and ${more} more` })] : []),
      )
    const link = make('a', {
      href: `packages/${encodeURIComponent(centre.name)}`,
      textContent: 'all that is known',
    })
    element('neighbourhood').replaceChildren(
      make(
        'div',
        { className: 'columns' },
        list('imported by', 'from', centre.dependents, centre.more.dependents),
        make(
          'div',
          {},
          make('b', { textContent: centre.name }),
          make('br'),
          count(centre.files, 'file'),
          make('br'),
          link,
        ),
        list('imports', 'to', centre.imports, centre.more.imports),
      ),
    )
  }

  element('search').addEventListener('submit', event => event.preventDefault())
  element('query').addEventListener('input', () => void find())

  // --- state -------------------------------------------------------------------------------------------------------

  async function refresh() {
    if (document.hidden) return
    try {
      const state = await (await fetch('live.json')).json()
      showScenarios(state.scenarios)
      showAdvice(state.advice)
      showLifetimes(state.lifetimes, state.removals)
      showLevels(state.levels, state.received)
      showTraces(state.traces)
    } catch {
      // The dashboard says how old its data is; the next time may go well.
    }
  }

  setInterval(refresh, 2_000)
  void refresh()
  void showPackage()
}
