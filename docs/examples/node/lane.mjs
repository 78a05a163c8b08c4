// node lane.mjs run NAME -- COMMAND...            run a program in a lane; its output, its status
// node lane.mjs attach ADDRESS [--from OFFSET] [--observe]   every byte of a terminal that is there

import { write as writeWithCallback } from "node:fs";
import { isatty } from "node:tty";
import { promisify } from "node:util";
import { Plane, Refused } from "./plane.mjs";
import { Stream } from "./stream.mjs";

const USAGE = `usage: node lane.mjs run NAME -- COMMAND...
       node lane.mjs attach ADDRESS [--from OFFSET] [--observe]`;
const CHUNK = 65_536;
const [STDIN, STDOUT] = [0, 1];

// Touching process.stdout would make a full pipe block this process, and the lease with it.
const write = promisify(writeWithCallback);

async function print(data) {
  for (let at = 0; at < data.length; ) {
    at += (await write(STDOUT, data, at)).bytesWritten;
  }
}

// Attaches to a session and keeps the lease alive until `detach`.
async function attach(plane, ids) {
  const attached = await plane.call("session.attach", {}, ids);
  const { lease_id, beat_s, endpoints } = attached;
  const where = { lane_id: ids.lane_id };
  const beat = setInterval(
    () => plane.tell("lease.renew", { lease_id }, { to: endpoints.control, ...where }),
    beat_s * 1000,
  );
  return {
    lease: lease_id,
    endpoints,
    detach: async () => {
      clearInterval(beat);
      // On the path of the acknowledgements: on another it could overtake the last of them.
      const session = { ...where, session_id: ids.session_id };
      await plane.call("session.detach", { lease_id }, { to: endpoints.control, ...session });
    },
  };
}

// Forwards standard input and its end; the next piece goes when the kernel has taken the last.
async function forward(plane, terminal, hot) {
  const send = (payload) =>
    plane.call("terminal.input", payload, { to: hot, terminal_id: terminal, patience: 0 });
  try {
    for await (const data of process.stdin) {
      for (let at = 0; at < data.length; at += CHUNK) {
        await send({ data: data.subarray(at, at + CHUNK) });
      }
    }
    await send({ eof: true });
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    if (error.code !== "INVALID_TRANSITION") console.error(error.message);
  }
}

async function deliver(stream) {
  for await (const { data, gap, exit } of stream.pieces()) {
    if (data) await print(data);
    if (gap) console.error(`[gap ${gap.start} ${gap.end}]`);
    if (exit) return exit.kind === "exited" ? exit.code : 128 + (exit.signal ?? 0);
  }
}

async function run(plane, name, argv) {
  const { workspaces } = await plane.call("workspace.list", { name: "default" });
  const workspace_id = workspaces[0].id;
  const { lane } = await plane.call("lane.create", { name, ensure: true }, { workspace_id });
  const inLane = { workspace_id, lane_id: lane.id };
  const { session } = await plane.call("session.create", {}, inLane);
  const ids = { ...inLane, session_id: session.id };
  const { lease, endpoints, detach } = await attach(plane, ids);
  const subscriber = await plane.subscribe(endpoints.output, "term_");
  const { terminal, consumer_id: consumer } = await plane.call(
    "terminal.spawn",
    {
      argv,
      cwd: process.cwd(),
      env: process.env,
      output: isatty(STDOUT) ? "tty" : "raw",
      stdin: isatty(STDIN) ? "tty" : "pipe",
      consume: { lease_id: lease, policy: "forever", offset: 0 },
    },
    ids,
  );
  forward(plane, terminal.id, endpoints.control);
  const { id, capacity } = terminal;
  const place = { terminal: id, hot: endpoints.control, consumer, capacity, offset: 0 };
  const status = await deliver(new Stream(plane, subscriber, place));
  await detach();
  return status;
}

async function watch(plane, address, { from, observe }) {
  const found = await plane.call("address.resolve", { address });
  if (!found.terminal) throw new Error(`no terminal at ${address}`);
  const { id, workspace_id, lane_id, session_id, capacity } = found.terminal;
  const here = { workspace_id, lane_id, session_id };
  const { lease, endpoints, detach } = await attach(plane, here);
  const hot = endpoints.control;
  const subscriber = await plane.subscribe(endpoints.output, id);
  let consumer;
  if (!observe) {
    const asked = { lease_id: lease, offset: from };
    const at = { to: hot, terminal_id: id };
    consumer = (await plane.call("terminal.consume", asked, at)).consumer_id;
  }
  const place = { terminal: id, hot, consumer, capacity, offset: from };
  const status = await deliver(new Stream(plane, subscriber, place));
  await detach();
  return status;
}

function options(words) {
  const chosen = { from: 0, observe: false };
  for (let at = 0; at < words.length; at += 1) {
    if (words[at] === "--observe") chosen.observe = true;
    else if (words[at] === "--from") chosen.from = Number(words[(at += 1)]);
    else return null;
  }
  return chosen;
}

async function main([verb, name, ...rest]) {
  const chosen = options(rest);
  const directory = process.env.LANEKEEPER_DIR;
  const runs = verb === "run" && rest[0] === "--" && rest.length > 1;
  if (!directory || !name || !(runs || (verb === "attach" && chosen))) {
    console.error(USAGE);
    return 2;
  }
  const plane = new Plane(directory);
  const { versions } = await plane.call("plane.hello", { client: "node-example" });
  if (!versions.includes(1)) throw new Error("this plane does not speak version 1");
  return runs ? run(plane, name, rest.slice(1)) : watch(plane, name, chosen);
}

try {
  process.exit(await main(process.argv.slice(2)));
} catch (error) {
  console.error(error.message);
  process.exit(1);
}
