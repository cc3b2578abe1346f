import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Channel, type Clock, type PortalEvent, type Socket } from './channel.js';

/** Time that passes when a test says so. */
class FakeClock implements Clock {
  now = 0;
  #queue: { at: number; work: () => void }[] = [];

  later(milliseconds: number, work: () => void): () => void {
    const entry = { at: this.now + milliseconds, work };
    this.#queue.push(entry);
    return () => {
      this.#queue = this.#queue.filter((other) => other !== entry);
    };
  }

  /** How long until the next thing happens. */
  get next(): number | undefined {
    return this.#queue.length === 0 ? undefined : Math.min(...this.#queue.map(({ at }) => at)) - this.now;
  }

  async pass(milliseconds: number): Promise<void> {
    const end = this.now + milliseconds;
    for (;;) {
      await settled();
      const due = this.#queue.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (!due) break;
      this.now = due.at;
      this.#queue = this.#queue.filter((other) => other !== due);
      due.work();
    }
    this.now = end;
    await settled();
  }
}

const settled = async (): Promise<void> => {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
};

class FakeSocket implements Socket {
  onopen: (() => void) | null = null;
  onmessage: ((frame: { data: unknown }) => void) | null = null;
  onclose: (() => void) | null = null;
  sent: string[] = [];
  closed = false;
  constructor(readonly url: string) {}
  send(text: string): void {
    this.sent.push(text);
  }
  close(): void {
    this.closed = true;
  }
  push(event: unknown): void {
    this.onmessage?.({ data: typeof event === 'string' ? event : JSON.stringify(event) });
  }
  end(): void {
    this.closed = true;
    this.onclose?.();
  }
}

/** The portal, as far as a channel sees it. */
class Portal {
  clock = new FakeClock();
  events: PortalEvent[] = [];
  forgotten = 0;
  sockets: FakeSocket[] = [];
  tickets = 0;
  status: number | undefined;
  broken = false;
  heard: number[] = [];
  resets = 0;
  signedOut = 0;
  positions: number[] = [];

  channel(position?: number, random: () => number = () => 0.5): Channel {
    return new Channel({
      address: 'wss://channels.example.org/portal',
      ...(position === undefined ? {} : { position }),
      random,
      clock: this.clock,
      open: (url) => {
        const socket = new FakeSocket(url);
        this.sockets.push(socket);
        return socket;
      },
      call: async (method, path) => {
        if (this.broken) throw new TypeError('no network');
        if (this.status) return { status: this.status, json: {} };
        if (method === 'POST') {
          this.tickets += 1;
          return { status: 201, json: { ticket: `ticket-${this.tickets}` } };
        }
        return { status: 200, json: this.#list(new URL(path, 'https://x').searchParams.get('after')) };
      },
      listener: {
        onEvent: ({ sequence }) => this.heard.push(sequence),
        onReset: () => (this.resets += 1),
        onSignedOut: () => (this.signedOut += 1),
        onPosition: (sequence) => this.positions.push(sequence),
      },
    });
  }

  #list(after: string | null): unknown {
    const last = this.events.length;
    if (after === null) return { events: [], last, more: false, gap: false };
    if (Number(after) < this.forgotten || Number(after) > last) return { events: [], last, more: false, gap: true };
    const events = this.events.slice(Number(after), Number(after) + 3);
    const end = events.at(-1)?.sequence ?? Number(after);
    return { events, last: end, more: end < last, gap: false };
  }

  happens(): PortalEvent {
    const event = { sequence: this.events.length + 1, type: 'result.new', patient: 'p' } as const;
    this.events.push(event);
    return event;
  }

  get socket(): FakeSocket {
    const socket = this.sockets.at(-1);
    assert.ok(socket, 'a socket');
    return socket;
  }

  async opened(channel: Channel): Promise<void> {
    await channel.start();
    await settled();
    this.socket.onopen?.();
    await settled();
  }

  get all(): number[] {
    return this.events.map(({ sequence }) => sequence);
  }
}

test('events come once and in order, whatever the socket repeats', async () => {
  const portal = new Portal();
  await portal.opened(portal.channel(0));
  const [one, two] = [portal.happens(), portal.happens()];
  for (const event of [one, one, two, one, two]) portal.socket.push(event);
  portal.socket.push('not JSON');
  portal.socket.push({ type: 'result.new' });
  await settled();
  assert.deepEqual(portal.heard, [1, 2]);
  assert.deepEqual(portal.positions, [1, 2]);
});

test('what the socket lost is in the list', async () => {
  const portal = new Portal();
  await portal.opened(portal.channel(0));
  for (let at = 0; at < 8; at += 1) portal.happens();
  portal.socket.push(portal.events[7]);
  await settled();
  assert.deepEqual(portal.heard, portal.all);
});

test('what happened before the connection was known is caught up with', async () => {
  const portal = new Portal();
  const channel = portal.channel(0);
  await channel.start();
  await settled();
  portal.happens();
  portal.socket.onopen?.();
  await settled();
  assert.deepEqual(portal.heard, [1]);
});

test('without a position it begins now', async () => {
  const portal = new Portal();
  portal.happens();
  await portal.opened(portal.channel());
  portal.socket.push(portal.happens());
  await settled();
  assert.deepEqual(portal.heard, [2]);
});

test('a killed connection is opened again with another ticket, and misses nothing', async () => {
  const portal = new Portal();
  await portal.opened(portal.channel(0));
  portal.socket.push(portal.happens());
  portal.socket.end();
  portal.happens();
  portal.happens();
  await portal.clock.pass(2_000);
  assert.equal(portal.sockets.length, 2);
  assert.deepEqual(
    portal.sockets.map(({ url }) => new URL(url).searchParams.get('ticket')),
    ['ticket-1', 'ticket-2'],
  );
  // The first one is nobody's any more.
  portal.sockets[0]?.push({ sequence: 2, type: 'result.new', patient: 'forged' });
  assert.deepEqual(portal.heard, [1]);
  portal.socket.onopen?.();
  await settled();
  assert.deepEqual(portal.heard, [1, 2, 3]);
});

test('it waits longer each time, with jitter, and begins anew after a success', async () => {
  const portal = new Portal();
  const channel = portal.channel(0, () => 1);
  portal.broken = true;
  void channel.start();
  const waits: number[] = [];
  for (let attempt = 0; attempt < 8; attempt += 1) {
    await settled();
    waits.push(portal.clock.next ?? 0);
    await portal.clock.pass(waits.at(-1) ?? 0);
  }
  assert.deepEqual(waits, [1, 2, 4, 8, 16, 32, 60, 60].map((seconds) => seconds * 1000));
  portal.broken = false;
  await portal.clock.pass(60_000);
  portal.socket.onopen?.();
  await settled();
  portal.socket.end();
  assert.equal(portal.clock.next, 1_000);

  const other = new Portal();
  await other.opened(other.channel(0, () => 0.25));
  other.socket.end();
  assert.equal(other.clock.next, 250);
});

test('a handshake that does not end is given up', async () => {
  const portal = new Portal();
  await portal.channel(0).start();
  await settled();
  await portal.clock.pass(10_500);
  assert.equal(portal.sockets[0]?.closed, true);
  assert.equal(portal.sockets.length, 2);
});

test('it beats, and replaces a socket that went deaf', async () => {
  const portal = new Portal();
  await portal.opened(portal.channel(0));
  await portal.clock.pass(9 * 60_000);
  assert.deepEqual(portal.socket.sent, ['{"action":"heartbeat"}', '{"action":"heartbeat"}']);
  assert.equal(portal.sockets.length, 1);
  portal.happens();
  await portal.clock.pass(61_000);
  assert.deepEqual(portal.heard, [1]);
  assert.equal(portal.sockets[0]?.closed, true);
  assert.equal(portal.sockets.length, 2);
});

test('who was away too long looks at everything anew', async () => {
  const portal = new Portal();
  for (let at = 0; at < 5; at += 1) portal.happens();
  portal.forgotten = 3;
  await portal.opened(portal.channel(1));
  assert.deepEqual([portal.heard, portal.resets], [[], 1]);
  portal.socket.push(portal.happens());
  assert.deepEqual(portal.heard, [6]);
});

test('who signed out has no channel', async () => {
  const portal = new Portal();
  await portal.opened(portal.channel(0));
  portal.status = 401;
  portal.socket.end();
  await portal.clock.pass(120_000);
  assert.equal(portal.signedOut, 1);
  assert.equal(portal.sockets.length, 1);
  assert.equal(portal.clock.next, undefined);
});

test('who stops hears nothing more', async () => {
  const portal = new Portal();
  const channel = portal.channel(0);
  await portal.opened(channel);
  channel.stop();
  assert.equal(portal.socket.closed, true);
  portal.socket.push(portal.happens());
  portal.socket.end();
  await portal.clock.pass(600_000);
  assert.deepEqual(portal.heard, []);
  assert.equal(portal.sockets.length, 1);
});

test('over a network that loses, repeats, swaps and breaks, everything comes once and in order', async () => {
  for (let seed = 1; seed <= 40; seed += 1) {
    let state = seed;
    // A linear congruential generator (Numerical Recipes).
    const random = (): number => {
      state = (state * 1_664_525 + 1_013_904_223) % 2 ** 32;
      return state / 2 ** 32;
    };
    const portal = new Portal();
    await portal.opened(portal.channel(0, random));
    for (let step = 0; step < 200; step += 1) {
      const dice = random();
      const socket = portal.socket;
      if (dice < 0.35) socket.push(portal.happens());
      else if (dice < 0.5) portal.happens();
      else if (dice < 0.6) socket.push(portal.events[Math.floor(random() * portal.events.length)] ?? '');
      else if (dice < 0.7) socket.end();
      else if (dice < 0.8) portal.broken = !portal.broken;
      else if (dice < 0.9) socket.onopen?.();
      else await portal.clock.pass(random() * 5_000);
      if (random() < 0.5) await settled();
    }
    portal.broken = false;
    // It waits for a minute at most, and the next handshake succeeds.
    for (let second = 0; second < 65; second += 1) {
      await portal.clock.pass(1_000);
      portal.socket.onopen?.();
    }
    await settled();
    assert.deepEqual(portal.heard, portal.all, `seed ${seed}`);
    assert.equal(portal.resets, 0);
  }
});
