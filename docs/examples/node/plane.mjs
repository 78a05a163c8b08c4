// Commands to a plane and to its lanes: the envelope, answers by id, and retries.
//
// One DEALER per socket, one frame each way. A command that gets no answer is sent again under the
// same id, which the plane answers from memory if it has done it already.

import { randomBytes } from "node:crypto";
import { decode, encode } from "@msgpack/msgpack";
import { Context, Dealer, Subscriber } from "zeromq";

const PATIENCE_MS = 5_000;
const TRIES = 4;
const BUSY_MS = 50;
const QUEUED = 1_000_000;

export class Refused extends Error {
  constructor({ code, message, retryable, details }) {
    super(`${code}: ${message}`);
    Object.assign(this, { code, retryable: retryable ?? false, details: details ?? {} });
  }
}

const fresh = (prefix) => `${prefix}_${randomBytes(8).toString("hex")}`;
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

// One connection: sends in order, and gives every answer to whoever waits for its id.
class Line {
  #dealer;
  #waiting = new Map();
  #sent = Promise.resolve();

  constructor(context, endpoint) {
    this.#dealer = new Dealer({ context, linger: 0, maxMessageSize: 262_144 });
    this.#dealer.connect(endpoint);
    this.#listen();
  }

  send(command) {
    const frame = encode(command);
    this.#sent = this.#sent.then(() => this.#dealer.send(frame));
    return this.#sent;
  }

  // `patience` 0 waits as long as it takes.
  async ask(command, patience) {
    let timer;
    const answer = new Promise((done) => this.#waiting.set(command.id, done));
    const late = new Promise((done) => {
      if (patience) timer = setTimeout(done, patience, null);
    });
    try {
      await this.send(command);
      return await Promise.race([answer, late]);
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(command.id);
    }
  }

  async #listen() {
    for await (const [frame] of this.#dealer) {
      const answer = decode(frame);
      const waiting = this.#waiting.get(answer.id);
      if (waiting) waiting(answer);
      else if (answer.status === "error") console.error(`refused: ${answer.error.message}`);
    }
  }

  close() {
    this.#dealer.close();
  }
}

export class Plane {
  #context = new Context();
  #directory;
  #lines = new Map();

  constructor(directory) {
    this.#directory = directory;
  }

  // `ids` are fields of the envelope; `to` is an endpoint, the broker's without it.
  async call(method, payload = {}, { to, patience = PATIENCE_MS, ...ids } = {}) {
    const command = this.#command(method, payload, ids);
    for (let turn = 1; ; turn += 1) {
      const answer = await this.#line(to).ask(command, patience);
      if (answer?.status === "ok") return answer.result;
      const error = answer?.error ?? { code: "TIMEOUT", message: method, retryable: true };
      if (!error.retryable || (turn >= TRIES && error.code !== "BACKPRESSURE")) {
        throw new Refused(error);
      }
      await pause(BUSY_MS);
    }
  }

  // A one-way command: nothing comes back unless it is refused.
  tell(method, payload, { to, ...ids }) {
    return this.#line(to).send(this.#command(method, payload, ids));
  }

  // Everything that a lane publishes about one terminal, from a moment that has been reached.
  async subscribe(endpoint, terminal) {
    const subscriber = new Subscriber({
      context: this.#context,
      linger: 0,
      receiveHighWaterMark: QUEUED,
    });
    subscriber.connect(endpoint);
    const token = fresh("tok");
    subscriber.subscribe(terminal, token);
    for await (const [topic] of subscriber) {
      if (topic.toString() === token) break;
    }
    subscriber.unsubscribe(token);
    return subscriber;
  }

  close() {
    for (const line of this.#lines.values()) line.close();
  }

  #command(method, payload, ids) {
    return {
      v: 1,
      type: "command",
      id: fresh("cmd"),
      ts: new Date().toISOString(),
      method,
      payload,
      correlation_id: fresh("corr"),
      ...ids,
    };
  }

  #line(endpoint = `ipc://${this.#directory}/broker.sock`) {
    if (!this.#lines.has(endpoint)) {
      this.#lines.set(endpoint, new Line(this.#context, endpoint));
    }
    return this.#lines.get(endpoint);
  }
}
