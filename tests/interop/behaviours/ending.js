// Who ends a socket, a session or a connection, and what both sides are told.
"use strict";

const assert = require("node:assert/strict");
const { within } = require("../client");

/** A client in "/" and in "/other" over one connection. */
async function pair(t) {
  const main = await t.connected();
  const other = t.beside(main, "/other", {});
  await t.wait(other, "connect");
  return [main, other];
}

module.exports = {
  async client_disconnects(t) {
    const socket = await t.connected();
    const left = await watch(t, socket);
    const ended = t.wait(socket, "disconnect");
    socket.disconnect();
    assert.equal((await ended)[0], "io client disconnect");
    assert.equal((await left())[0], "client namespace disconnect");
  },

  async client_disconnects_and_comes_back(t) {
    const socket = await t.connected();
    const { id } = socket;
    socket.disconnect();
    const again = t.wait(socket, "connect");
    socket.connect();
    await again;
    assert.notEqual(socket.id, id);
    assert.deepEqual(await t.ask(socket, "where"), ["/"]);
  },

  async client_leaves_one_namespace(t) {
    const [main, other] = await pair(t);
    const left = await watch(t, other);
    other.disconnect();
    assert.equal((await left())[0], "client namespace disconnect");
    assert.deepEqual(await t.ask(main, "where"), ["/"]);
  },

  async rooms_are_known_at_the_end(t) {
    const socket = await t.connected();
    const left = await watch(t, socket);
    for (const name of ["b", "a"]) await t.ask(socket, "join", `${t.key} ${name}`);
    socket.disconnect();
    const rooms = [`${t.key} a`, `${t.key} b`];
    assert.deepEqual(await left(), ["client namespace disconnect", rooms]);
  },

  async server_disconnects_a_socket(t) {
    const [main, other] = await pair(t);
    const left = await watch(t, other);
    const ended = t.wait(other, "disconnect");
    other.emit("disconnect me");
    assert.equal((await ended)[0], "io server disconnect");
    assert.equal((await left())[0], "server namespace disconnect");
    assert.deepEqual(await t.ask(main, "where"), ["/"]);
  },

  async server_disconnected_comes_back_by_hand(t) {
    const socket = await t.connected();
    const { id } = socket;
    const ended = t.wait(socket, "disconnect");
    socket.emit("disconnect me");
    await ended;
    const again = t.wait(socket, "connect");
    socket.connect();
    await again;
    assert.notEqual(socket.id, id);
    assert.deepEqual(await t.ask(socket, "where"), ["/"]);
  },

  async server_disconnects_the_session(t) {
    const [main, other] = await pair(t);
    const left = [await watch(t, main), await watch(t, other)];
    const ended = [t.wait(main, "disconnect"), t.wait(other, "disconnect")];
    const closed = t.wait(main.io.engine, "close");
    main.emit("disconnect session");
    for (const end of ended) assert.equal((await end)[0], "io server disconnect");
    for (const end of left) assert.equal((await end())[0], "server namespace disconnect");
    await closed;
  },

  async client_closes_the_engine(t) {
    const [main, other] = await pair(t);
    const left = [await watch(t, main), await watch(t, other)];
    main.io.reconnection(false);
    main.io.engine.close();
    for (const end of left) assert.equal((await end())[0], "transport close");
  },

  async heartbeats_keep_an_idle_client(t) {
    const socket = await (await t.brisk()).connected();
    const { id } = socket;
    await within("fifth ping", (done) => {
      let count = 0;
      socket.io.engine.on("packet", ({ type }) => {
        if (type === "ping" && ++count === 5) done();
      });
    });
    assert.deepEqual(await t.ask(socket, "where"), ["/"]);
    assert.equal(socket.id, id);
  },

  async silent_client_is_dropped(t) {
    const brisk = await t.brisk();
    const socket = await brisk.connected();
    const left = await watch(brisk, socket);
    const { engine } = socket.io;
    const name = t.version === "v3" ? "sendPacket" : "_sendPacket";
    const sendPacket = engine[name];
    engine[name] = (type, ...rest) => {
      if (type !== "pong") sendPacket.call(engine, type, ...rest);
    };
    assert.equal((await left())[0], "ping timeout");
  },

  async oversized_message_ends_the_connection(t) {
    const socket = await t.connected();
    await t.settle(socket);
    const heard = t.record(socket, "echo");
    const { id } = socket;
    const again = t.wait(socket, "connect");
    const ended = t.wait(socket, "disconnect");
    socket.emit("echo", "x".repeat(1_000_001));
    const [reason] = await ended;
    assert.ok(["transport error", "transport close"].includes(reason), reason);
    await again;
    assert.notEqual(socket.id, id);
    await t.settle(socket);
    assert.deepEqual(heard, []);
  },

  async too_many_attachments_end_the_connection(t) {
    const socket = await t.connected();
    const left = await watch(t, socket);
    const again = t.wait(socket, "connect");
    socket.emit("echo", ...Array.from({ length: 11 }, () => Buffer.alloc(1)));
    // The reference says one or the other, by whether the transport can be closed at once.
    assert.match((await left())[0], /^forced (server )?close$/);
    await again;
    assert.deepEqual(await t.ask(socket, "where"), ["/"]);
  },
};

/** The witness is connected first; then what it hears can be waited for. */
async function watch(t, socket) {
  const witness = await t.connected(socket.nsp);
  await t.ask(witness, "watch", socket.id);
  const left = t.wait(witness, "left");
  return () => left;
}
