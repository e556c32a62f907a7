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
  const time = ms => (ms < 1_000 ? `${ms.toFixed(1)} ms` : `${(ms / 1_000).toFixed(2)} s`)
  const clock = time => new Date(time).toLocaleTimeString([], { hour12: false })
  const kib = bytes => (bytes / 1_024).toFixed(1)
  const count = (number, noun) => `${number.toLocaleString('en')} ${noun}${number === 1 ? '' : 's'}`

  // --- scenarios ---------------------------------------------------------------------------------------------------

  const buttons = [...element('scenarios').querySelectorAll('button')]
  for (const button of buttons) button.addEventListener('click', () => play(button.id))

  function showPlaying(playing) {
    for (const button of buttons) button.setAttribute('aria-pressed', playing.includes(button.id))
  }

  async function play(name) {
    const asked = fetch(`scenarios/${name}`, {
      method: 'POST',
      headers: { 'x-millrace-demo': '1' },
    })
    if (await answered(asked)) await refresh()
  }

  /** The answer, or undefined when there is none: the dashboard says already that the server has stopped. */
  async function answered(asked) {
    try {
      const response = await asked
      return response.ok ? response : undefined
    } catch {
      return undefined
    }
  }

  // --- cache, levels, traces ---------------------------------------------------------------------------------------

  function showAdvice(advice) {
    const none = 'no data yet'
    if (advice.length === 0) {
      const text = draw('text', { x: 160, y: 76, class: 'middle' }, none)
      element('advice').replaceChildren(plot(none, text))
      return
    }
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
          draw('text', { x: x(size) + 4, y: y(hitRate) - 6, class: 'end' }, percent(hitRate)),
          draw('text', { x: x(size) - 8, y: 146 }, `${size}x`),
        ]),
      ),
    )
  }

  function showLifetimes({ lifetimes }) {
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
  }

  function showRemovals({ removals, staleServed, bytes, budget }) {
    const numbers = {
      'KiB held': kib(bytes),
      'KiB allowed': kib(budget),
      'served stale': staleServed,
      ...removals,
    }
    element('removals').replaceChildren(
      ...Object.entries(numbers).map(([name, value]) =>
        make(
          'li',
          {},
          make('span', { textContent: name, title: name }),
          ` ${value.toLocaleString('en')}`,
        ),
      ),
    )
  }

  const REASONS = 'evicted expired deleted replaced invalidated cleared resized'
  // Their room is taken before they come.
  showRemovals({
    removals: Object.fromEntries(REASONS.split(' ').map(reason => [reason, 0])),
    staleServed: 0,
    bytes: 0,
    budget: 0,
  })

  const LEVELS = {
    trusted: 'files answered without reading',
    reads: 'files read',
    parses: 'sources parsed',
    verified: 'results found to hold',
    computed: 'results computed',
    cutoffs: 'of these the same as before: cut off',
    received: 'invalidations heard of others, each at least once',
  }
  const TREES = ['the tree', '1,000 edits']
  const cells = new Map()
  element('levels').append(
    make(
      'tr',
      {},
      ...['level', ...TREES].map(name => make('th', { scope: 'col', textContent: name })),
    ),
    ...Object.entries(LEVELS).map(([field, name]) => {
      const numbers = TREES.map(() => make('td', { textContent: '0' }))
      for (const [i, cell] of numbers.entries()) cell.dataset.head = TREES[i]
      if (field === 'received') numbers[1].textContent = ''
      cells.set(field, numbers)
      return make('tr', {}, make('td', { textContent: name }), ...numbers)
    }),
  )

  /** Of the tree since the start, and of the last edit of a thousand files. */
  function showLevels({ levels, editedLevels, received }) {
    for (const [field, [tree, edits]] of cells) {
      tree.textContent = (field === 'received' ? received : levels[field]).toLocaleString('en')
      if (field !== 'received') edits.textContent = editedLevels[field].toLocaleString('en')
    }
  }

  /** Places of waterfalls, each with the one in it. */
  const places = Array.from({ length: 5 }, () => ({ box: make('div'), id: undefined }))
  element('waterfalls').append(...places.map(({ box }) => box))

  /**
   * Each keeps its place: those that stay are not touched, what is open stays open, and what has the focus keeps it. One that is no longer
   * among the slowest gives its place to one that is, unless it is open.
   */
  function showTraces(traces) {
    const wanted = new Map(traces.map(trace => [trace.id, trace]))
    const free = places.filter(({ id, box }) => !wanted.delete(id) && !box.firstChild?.open)
    const next = wanted.values()
    for (const place of free) {
      const trace = next.next().value
      place.id = trace?.id
      place.box.replaceChildren(...(trace === undefined ? [] : [waterfallOf(trace)]))
    }
  }

  function waterfallOf({ began, duration, rows }) {
    const bars = rows.map(row =>
      make(
        'div',
        { className: row.failed ? 'span failed' : 'span' },
        make('span', {
          className: 'name',
          textContent: '\u00a0'.repeat(2 * row.depth) + row.name,
          title: row.name,
        }),
        make('span', { className: 'time', textContent: time(row.duration) }),
        draw(
          'svg',
          { viewBox: '0 0 1000 10', preserveAspectRatio: 'none', 'aria-hidden': true },
          draw('rect', {
            x: (1000 * row.offset) / duration,
            width: Math.max(3, (1000 * row.duration) / duration),
            height: 10,
          }),
        ),
      ),
    )
    const summary = make('summary', {
      textContent: `${time(duration)}, ${count(rows.length, 'span')}, at ${clock(began)}: ${rows[0].name}`,
      title: rows[0].name,
    })
    return make('details', {}, summary, ...bars)
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
    const response =
      text === '' ? undefined : await answered(fetch(`search?q=${encodeURIComponent(text)}`))
    if (text !== '' && response === undefined) return
    const found = response === undefined ? [] : await response.json()
    if (text !== element('query').value.trim()) return
    element('found').replaceChildren(
      ...(found.length === 0 && text !== ''
        ? [make('li', { textContent: `No package has “${text}” in its name` })]
        : []),
      ...found.map(each => make('li', {}, packageButton(each))),
    )
  }

  let wanted

  /** @param again what is shown already, as the tree has changed: the focus stays where it is */
  async function showPackage(name, again = false) {
    wanted = name
    const query = name === undefined ? '' : `?around=${encodeURIComponent(name)}`
    const response = await answered(fetch(`graph${query}`))
    const centre = await response?.json()
    // Another one may have been asked for since.
    if (wanted !== name) return
    if (centre === undefined) {
      // The one that imports most is shown as long as there is any.
      if (again && name !== undefined)
        element('neighbourhood').textContent = `${name} is no longer in the tree`
      return
    }
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
    const title = make('b', { textContent: centre.name, tabIndex: -1 })
    // The button that was pressed goes: whoever walks by keyboard goes on from the package it led to.
    const focused = element('neighbourhood').contains(document.activeElement)
      ? document.activeElement
      : undefined
    element('neighbourhood').replaceChildren(
      make(
        'div',
        { className: 'columns' },
        list('imported by', 'from', centre.dependents, centre.more.dependents),
        make('div', {}, title, make('br'), count(centre.files, 'file'), make('br'), link),
        list('imports', 'to', centre.imports, centre.more.imports),
      ),
    )
    if (focused === undefined) return
    const same =
      again &&
      [...element('neighbourhood').querySelectorAll('button, a')].find(
        each => each.textContent === focused.textContent,
      )
    ;(same || title).focus()
  }

  element('search').addEventListener('submit', event => {
    event.preventDefault()
    element('found').querySelector('button')?.click()
  })
  element('query').addEventListener('input', () => void find())

  let changes

  /** Once the tree has changed, so has what is shown of its packages. */
  function showTree({ files, packages, edges, ...followed }) {
    const number = value => value.toLocaleString('en')
    element('now').textContent =
      `Now ${count(files, 'source file')}, ${count(packages, 'package')}, ${count(edges, 'import')} between packages; ` +
      (followed.changes === 0
        ? 'no change followed yet'
        : `${count(followed.changes, 'change')} followed, ${number(followed.recomputed)} results recomputed, of which ${number(followed.cutOff)} cut off`)
    const changed = changes !== undefined && changes !== followed.changes
    changes = followed.changes
    if (!changed) return
    void find()
    void showPackage(wanted, true)
  }

  // --- state -------------------------------------------------------------------------------------------------------

  async function refresh() {
    if (document.hidden) return
    try {
      const state = await (await fetch('live.json')).json()
      showPlaying(state.playing)
      showTree(state.tree)
      showAdvice(state.advice)
      showLifetimes(state)
      showRemovals(state)
      showLevels(state)
      showTraces(state.traces)
    } catch {
      // The dashboard says how old its data is; the next time may go well.
    }
  }

  setInterval(refresh, 2_000)
  void refresh()
  void showPackage()
}
