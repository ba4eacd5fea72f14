// What a behaviour is given: clients of one version and mode, closed when it ends, and waits that
// say what they waited for.
"use strict";

const assert = require("node:assert/strict");
const { randomUUID } = require("node:crypto");

const CLIENTS = { v3: require("socket.io-client-3"), v4: require("socket.io-client") };
const TRANSPORTS = {
  polling: ["polling"],
  websocket: ["websocket"],
  upgrade: ["polling", "websocket"],
};
const WAIT_MS = 5000;

class Context {
  constructor(url, version, mode) {
    assert.ok(CLIENTS[version], `no client of version ${version}`);
    assert.ok(TRANSPORTS[mode], `no mode ${mode}`);
    this.url = url;
    this.version = version;
    this.mode = mode;
    /** A name nobody else uses, for events and rooms. */
    this.key = randomUUID();
    this.namespace = "/custom";
    this.opened = [];
  }

  /** A socket that is connecting, on a connection of its own. */
  open(namespace = "/", options = {}) {
    const socket = CLIENTS[this.version].io(this.url + namespace, {
      transports: TRANSPORTS[this.mode],
      reconnectionDelay: 10,
      forceNew: true,
      ...options,
    });
    this.opened.push(socket);
    return socket;
  }

  async connected(namespace, options) {
    const socket = this.open(namespace, options);
    await this.wait(socket, "connect");
    return socket;
  }

  /** Another namespace on the connection of `socket`; it begins to connect at once. */
  beside(socket, namespace, options) {
    const other = socket.io.socket(namespace, options);
    this.opened.push(other);
    return other;
  }

  /** The same for the second server, which has short heartbeats. */
  async brisk() {
    const url = new URL(this.url);
    [url.port] = await this.ask(this.open(), "brisk port");
    const brisk = new Context(url.origin, this.version, this.mode);
    brisk.opened = this.opened;
    return brisk;
  }

  /** The arguments of the next such event. */
  wait(emitter, event) {
    return within(`event ${JSON.stringify(event)}`, (done) => {
      emitter.once(event, (...args) => done(args));
    });
  }

  /** The arguments of the server's answer. */
  ask(socket, event, ...args) {
    return within(`answer to ${JSON.stringify(event)}`, (done) => {
      socket.emit(event, ...args, (...answer) => done(answer));
    });
  }

  /** Emits, and gives the arguments of the event of that name which comes back. */
  async echo(socket, event, ...args) {
    const reply = this.wait(socket, event);
    socket.emit(event, ...args);
    return await reply;
  }

  /** All calls of `event` from here on. */
  record(socket, event) {
    const calls = [];
    socket.on(event, (...args) => calls.push(args));
    return calls;
  }

  /** What was sent to `socket` before has arrived once this returns. */
  async settle(...sockets) {
    for (const socket of sockets) await this.ask(socket, "answer nothing");
  }

  close() {
    for (const socket of this.opened) {
      socket.disconnect();
      socket.io.reconnection(false);
      socket.io.engine?.close();
    }
  }
}

/** A wait that fails by its name; `start` is called at once. */
function within(what, start) {
  let timer;
  const happened = new Promise((resolve, reject) => {
    const late = new Error(`no ${what} within ${WAIT_MS} ms`);
    timer = setTimeout(() => reject(late), WAIT_MS);
    start(resolve);
  }).finally(() => clearTimeout(timer));
  // A behaviour may fail before it comes to this wait; then the first failure is the one to report.
  happened.catch(() => {});
  return happened;
}

module.exports = { Context, within };
