import type { Client } from './client.ts'

/** @param cause with `error`, what has failed */
type Listener = (cause?: unknown) => void

/**
 * Events of a client, of which it has one listener each, however many stores, buses and leases share it: Node.js takes more than ten for a
 * leak.
 */
export class ClientEvents {
  static readonly #all = new WeakMap<Client, ClientEvents>()
  readonly #client: Client
  readonly #relays = new Map<string, { listeners: Set<Listener>; relay: Listener }>()

  private constructor(client: Client) {
    this.#client = client
  }

  static of(client: Client): ClientEvents {
    let events = ClientEvents.#all.get(client)
    if (events === undefined) {
      events = new ClientEvents(client)
      ClientEvents.#all.set(client, events)
    }
    return events
  }

  /** A listener that is there already is not added again. */
  on(event: string, listener: Listener): void {
    const known = this.#relays.get(event)
    if (known !== undefined) {
      known.listeners.add(listener)
      return
    }
    const listeners = new Set([listener])
    const relay = (cause?: unknown): void => {
      // Those that are added or leave meanwhile do not change who is told.
      for (const each of [...listeners]) each(cause)
    }
    this.#relays.set(event, { listeners, relay })
    this.#client.on(event, relay)
  }

  off(event: string, listener: Listener): void {
    const known = this.#relays.get(event)
    if (known === undefined || !known.listeners.delete(listener)) return
    if (known.listeners.size > 0) return
    this.#relays.delete(event)
    this.#client.off(event, known.relay)
  }
}
