// Every byte of a terminal, once and in order, or an explicit gap in place.
//
// The stream pushes; what ZeroMQ dropped is read from the terminal's log. Registered, the log keeps
// what was not acknowledged, so there are no gaps; unregistered, an observer may see some.

import { decode } from "@msgpack/msgpack";

const ACKNOWLEDGE_MOST = 256 * 1024;
const LOG_CAPACITY = 4_194_304;
const SILENCE_MS = 1_000;
const AGAIN = "EAGAIN";

export class Stream {
  #plane;
  #subscriber;
  #terminal;
  #hot;
  #consumer;
  #acknowledgeEvery;
  #done;
  #acknowledged;
  #epoch = 0;

  // `hot` is the lane's control endpoint; `consumer` is nil for an observer; `capacity` is that of
  // the terminal's log, half of which a consumer may be behind before the program is held back.
  constructor(plane, subscriber, { terminal, hot, consumer, capacity = LOG_CAPACITY, offset }) {
    this.#plane = plane;
    this.#subscriber = subscriber;
    this.#terminal = terminal;
    this.#hot = hot;
    this.#consumer = consumer;
    this.#acknowledgeEvery = Math.min(ACKNOWLEDGE_MOST, capacity / 8);
    this.#done = this.#acknowledged = offset;
    subscriber.receiveTimeout = SILENCE_MS;
  }

  get offset() {
    return this.#done;
  }

  // Yields { data }, { gap: { start, end } }, { size: [cols, rows] }, and last { exit }.
  // What was yielded counts as processed when the next piece is asked for.
  async *pieces() {
    try {
      let exit = yield* this.#readTo(Infinity);
      while (!exit) {
        const message = await this.#next();
        exit = message ? yield* this.#take(message) : yield* this.#readTo(Infinity);
        this.#acknowledge(message?.kind !== "data");
      }
      this.#acknowledge(true);
      yield { exit };
    } finally {
      this.#subscriber.close();
    }
  }

  async #next() {
    for (;;) {
      try {
        const [topic, header, body] = await this.#subscriber.receive();
        const [, kind, epoch, offset] = decode(header);
        if (topic.toString() !== this.#terminal || epoch < this.#epoch) continue;
        this.#served(epoch);
        return { kind, offset, body };
      } catch (error) {
        if (error.code === AGAIN) return null;
        throw error;
      }
    }
  }

  async *#take({ kind, offset, body }) {
    if (offset > this.#done) yield* this.#readTo(offset);
    if (kind === "data") yield* this.#fresh(offset, body);
    if (kind === "resize") yield { size: decode(body) };
    // An end behind what was delivered is that of a program before a respawn.
    return kind === "end" && offset === this.#done ? decode(body) : null;
  }

  // Reads the log up to `limit`, or to its end; returns the exit status once everything is here.
  async *#readTo(limit) {
    for (;;) {
      const part = await this.#plane.call(
        "terminal.read",
        { offset: this.#done },
        { to: this.#hot, terminal_id: this.#terminal },
      );
      this.#served(part.epoch);
      if (part.gap) {
        this.#done = part.gap.end;
        yield { gap: part.gap };
      }
      yield* this.#fresh(part.offset, part.data);
      this.#acknowledge(false);
      if (this.#done === part.end) return part.exit;
      if (this.#done >= Math.min(limit, part.head)) return null;
    }
  }

  *#fresh(offset, data) {
    const end = offset + data.length;
    if (end <= this.#done) return;
    const piece = data.subarray(this.#done - offset);
    this.#done = end;
    yield { data: piece };
  }

  // A worker that died may have taken the last acknowledgement with it: its successor gets another.
  #served(epoch) {
    if (epoch > this.#epoch && this.#epoch > 0) this.#acknowledged = 0;
    this.#epoch = Math.max(this.#epoch, epoch);
  }

  #acknowledge(pausing) {
    const owed = this.#done - this.#acknowledged;
    if (!this.#consumer || !owed || (owed < this.#acknowledgeEvery && !pausing)) return;
    this.#acknowledged = this.#done;
    this.#plane.tell(
      "terminal.ack",
      { consumer_id: this.#consumer, offset: this.#done },
      { to: this.#hot, terminal_id: this.#terminal },
    );
  }
}
