// Handshake, namespaces, authorization, transports.
"use strict";

const assert = require("node:assert/strict");

module.exports = {
  async connects_with_an_id_of_its_own(t) {
    const a = await t.connected();
    const b = await t.connected();
    assert.match(a.id, /^[\w-]{20}$/);
    assert.notEqual(a.id, a.io.engine.id);
    assert.notEqual(a.id, b.id);
    assert.equal(a.connected, true);
  },

  async auth_object_is_visible(t) {
    const auth = { token: "päss", roles: ["a", "b"], age: 7, none: null };
    const socket = await t.connected("/", { auth });
    const [seen] = await t.ask(socket, "handshake", "x", "x");
    assert.deepEqual(seen, auth);
  },

  async auth_function_is_visible(t) {
    const auth = (done) => setTimeout(() => done({ made: "later" }), 10);
    const socket = await t.connected("/", { auth });
    const [seen] = await t.ask(socket, "handshake", "x", "x");
    assert.deepEqual(seen, { made: "later" });
  },

  async absent_auth_is_an_empty_object(t) {
    const socket = await t.connected();
    const [seen] = await t.ask(socket, "handshake", "x", "x");
    assert.deepEqual(seen, {});
  },

  async query_is_visible(t) {
    const socket = await t.connected("/", { query: { greeting: "grüß & gott=1" } });
    const [, query] = await t.ask(socket, "handshake", "greeting", "x");
    assert.equal(query, "grüß & gott=1");
  },

  async extra_headers_are_visible(t) {
    const socket = await t.connected("/", { extraHeaders: { "X-Parlor": "maid" } });
    const [, , header] = await t.ask(socket, "handshake", "x", "x-parlor");
    assert.equal(header, "maid");
  },

  async cookies_are_visible(t) {
    const socket = await t.connected("/", { extraHeaders: { Cookie: "a=1; b=2" } });
    const [, , header] = await t.ask(socket, "handshake", "x", "cookie");
    assert.equal(header, "a=1; b=2");
  },

  async transport_is_what_the_mode_says(t) {
    const socket = await t.connected();
    const { engine } = socket.io;
    if (t.mode === "upgrade" && engine.transport.name !== "websocket") {
      await t.wait(engine, "upgrade");
    }
    await t.settle(socket);
    assert.equal(engine.transport.name, t.mode === "polling" ? "polling" : "websocket");
  },

  async namespace_of_its_own(t) {
    const socket = await t.connected("/other");
    assert.deepEqual(await t.ask(socket, "where"), ["/other"]);
    assert.match(socket.id, /^[\w-]{20}$/);
  },

  async namespace_made_on_demand(t) {
    const socket = await t.connected(t.namespace);
    assert.deepEqual(await t.ask(socket, "where"), [t.namespace]);
  },

  async unknown_namespace_is_refused(t) {
    const socket = t.open("/nowhere");
    const [error] = await t.wait(socket, "connect_error");
    assert.equal(error.message, "Invalid namespace");
    assert.equal(socket.connected, false);
  },

  async refusal_has_message_and_data(t) {
    const socket = t.open("/guarded", { auth: { token: "guess" } });
    const [error] = await t.wait(socket, "connect_error");
    assert.ok(error instanceof Error);
    assert.equal(error.message, "not authorized");
    assert.deepEqual(error.data, { code: 401, hint: "wrong token" });
    assert.equal(socket.connected, false);
  },

  async refused_may_try_again(t) {
    const socket = t.open("/guarded", { auth: {} });
    await t.wait(socket, "connect_error");
    socket.auth = { token: "secret" };
    const connected = t.wait(socket, "connect");
    socket.connect();
    await connected;
    assert.deepEqual(await t.ask(socket, "where"), ["/guarded"]);
  },

  async refusal_leaves_other_namespaces(t) {
    const socket = await t.connected();
    const guarded = t.beside(socket, "/guarded", {});
    await t.wait(guarded, "connect_error");
    assert.deepEqual(await t.ask(socket, "where"), ["/"]);
  },

  async namespaces_share_a_connection(t) {
    const socket = await t.connected();
    const { id } = socket.io.engine;
    const other = t.beside(socket, "/other", {});
    await t.wait(other, "connect");
    assert.equal(other.io.engine.id, id);
    assert.notEqual(other.id, socket.id);
    const answers = await Promise.all([t.ask(socket, "where"), t.ask(other, "where")]);
    assert.deepEqual(answers, [["/"], ["/other"]]);
  },

  async emits_while_authorizing_go_before_connect(t) {
    const socket = t.open("/early");
    const packets = t.record(socket.io, "packet");
    const [early, welcome] = [t.wait(socket, "early"), t.wait(socket, "welcome")];
    assert.deepEqual([await early, await welcome], [[1], [2]]);
    const seen = packets.map(([packet]) => packet).filter((packet) => packet.nsp === "/early");
    const [CONNECT, EVENT] = [0, 2];
    assert.deepEqual(seen.map((packet) => packet.type), [EVENT, CONNECT, EVENT]);
  },

  async emits_before_connect_keep_their_order(t) {
    const socket = t.open();
    const echoes = t.record(socket, "echo");
    for (let i = 0; i < 20; i++) socket.emit("echo", i);
    await t.wait(socket, "connect");
    socket.emit("echo", 20);
    await t.settle(socket);
    assert.deepEqual(echoes, Array.from({ length: 21 }, (_, i) => [i]));
  },

  async reconnects_with_a_new_id_after_a_lost_connection(t) {
    const socket = await t.connected();
    const { id } = socket;
    const lost = t.wait(socket, "disconnect");
    const again = t.wait(socket, "connect");
    socket.io.engine.close();
    await lost;
    await again;
    assert.notEqual(socket.id, id);
    assert.deepEqual(await t.ask(socket, "where"), ["/"]);
  },
};
