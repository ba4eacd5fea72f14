// Records what the official client and a server say to each other, byte by byte:
// `node sim/golden/record.js URL`, where the application of tests/interop listens. CONTRIBUTING.md
// says how to start it. Each story becomes a file beside this one: a list of what went over the
// wire, in order, as [connection, who, bytes], a character for each byte.
"use strict";

const { writeFileSync } = require("node:fs");
const net = require("node:net");
const { join } = require("node:path");
const { io } = require(join(__dirname, "../../tests/interop/node_modules/socket.io-client"));

/** A proxy that writes down what passes. */
class Tap {
  constructor(target) {
    this.target = new URL(target);
    this.heard = [];
    this.open = new Set();
    this.count = 0;
    this.server = net.createServer((client) => this.accept(client));
  }

  async listen() {
    await new Promise((done) => this.server.listen(0, "127.0.0.1", done));
    return `http://127.0.0.1:${this.server.address().port}`;
  }

  accept(client) {
    const connection = this.count++;
    const server = net.connect(Number(this.target.port), this.target.hostname);
    const pair = { client, server };
    this.open.add(pair);
    for (const [who, from, to] of [["client", client, server], ["server", server, client]]) {
      from.on("data", (bytes) => {
        this.heard.push([connection, who, bytes.toString("latin1")]);
        to.write(bytes);
      });
      from.on("end", () => to.end());
      from.on("error", () => to.destroy());
      from.on("close", () => {
        this.open.delete(pair);
        to.destroy();
      });
    }
  }

  /** Breaks all connections. */
  cut() {
    for (const { client, server } of this.open) {
      client.resetAndDestroy();
      server.resetAndDestroy();
    }
  }

  /** Nothing more is to come: a story's last words take a moment. */
  async silence() {
    for (let count = -1; this.open.size > 0 || count !== this.heard.length; ) {
      count = this.heard.length;
      await pause(300);
    }
    this.server.close();
  }
}

const pause = (ms) => new Promise((done) => setTimeout(done, ms));
const heard = (emitter, event) => new Promise((done) => emitter.once(event, (...args) => done(args)));

const BYTES = Buffer.from([0, 1, 2, 0x1e, 0x7f, 0x80, 0xff]);

async function echo(socket, ...args) {
  const reply = heard(socket, "echo");
  socket.emit("echo", ...args);
  await reply;
}

async function talk(url, transports) {
  const socket = io(url, { transports });
  await heard(socket, "connect");
  await echo(socket, 1, "t\u{20ac}o", { three: [3] });
  await socket.emitWithAck("answer", "yes");
  socket.disconnect();
}

async function bytes(url, transports) {
  const socket = io(url, { transports });
  await heard(socket, "connect");
  await echo(socket, BYTES, "and", Buffer.alloc(0));
  await socket.emitWithAck("answer", BYTES);
  socket.disconnect();
}

const STORIES = {
  polling: (url) => talk(url, ["polling"]),
  websocket: (url) => talk(url, ["websocket"]),
  polling_bytes: (url) => bytes(url, ["polling"]),
  websocket_bytes: (url) => bytes(url, ["websocket"]),

  async upgrade(url) {
    const socket = io(url, { transports: ["polling", "websocket"] });
    await Promise.all([heard(socket, "connect"), heard(socket.io, "open")]);
    const upgraded = heard(socket.io.engine, "upgrade");
    await echo(socket, "before");
    await upgraded;
    await echo(socket, "after");
    socket.disconnect();
  },

  async namespaces(url) {
    const socket = io(url, { transports: ["polling"] });
    const other = socket.io.socket("/guarded", { auth: { token: "secret" } });
    await Promise.all([heard(socket, "connect"), heard(other, "connect")]);
    await echo(other, "there");
    await echo(socket, "here");
    other.disconnect();
    socket.disconnect();
  },

  async refusal(url) {
    const socket = io(`${url}/guarded`, { transports: ["websocket"], auth: { token: "wrong" } });
    await heard(socket, "connect_error");
    socket.disconnect();
  },

  async expulsion(url) {
    const socket = io(url, { transports: ["websocket"] });
    await heard(socket, "connect");
    socket.emit("disconnect me");
    await heard(socket, "disconnect");
    socket.io.engine.close();
  },

  async end_of_session(url) {
    const socket = io(url, { transports: ["polling"], reconnection: false });
    await heard(socket, "connect");
    socket.emit("disconnect session");
    await heard(socket, "disconnect");
  },

  async reconnection(url, tap) {
    const socket = io(url, { transports: ["websocket"] });
    await heard(socket, "connect");
    await echo(socket, "before");
    tap.cut();
    await heard(socket, "connect");
    await echo(socket, "after");
    socket.disconnect();
  },
};

async function main() {
  for (const [name, story] of Object.entries(STORIES)) {
    const tap = new Tap(process.argv[2]);
    await story(await tap.listen(), tap);
    await tap.silence();
    const escape = (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`;
    const line = (one) => JSON.stringify(one).replace(/[\x7f-\xff]/g, escape);
    const lines = tap.heard.map(line);
    writeFileSync(join(__dirname, `${name}.json`), `[\n${lines.join(",\n")}\n]\n`);
  }
}

main();
