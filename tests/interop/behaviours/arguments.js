// What arguments look like after the way there and back.
"use strict";

const assert = require("node:assert/strict");

/** Echoes and compares; binary comes back as a Buffer. */
async function echoes(t, args, expected = args) {
  const socket = await t.connected();
  assert.deepEqual(await t.echo(socket, "echo", ...args), expected);
}

const bytes = (length) => Buffer.from(Array.from({ length }, (_, i) => (i * 31) % 256));

module.exports = {
  async several_arguments(t) {
    await echoes(t, ["text", 7, true, false, null, [1, [2]], { a: { b: [null] } }]);
  },

  async no_arguments(t) {
    await echoes(t, []);
  },

  async undefined_becomes_null(t) {
    await echoes(t, [undefined, [undefined], { gone: undefined }], [null, [null], {}]);
  },

  async strings_of_every_script(t) {
    await echoes(t, ["", "grüße", "日本語", "🦜👩‍👩‍👧", "\u2028\u2029\ufeff", "e\u0301"]);
  },

  async strings_with_escapes(t) {
    await echoes(t, ['"\\/', "\0\x01\x1e\x1f\x7f", "\b\f\n\r\t", "\\u0041", "b4", '42["x"]']);
  },

  async numbers(t) {
    const floats = [0.1 + 0.2, 1.5, -1e-7, 5e-324, Number.MAX_VALUE, 123456789.123];
    const integers = [0, -1, 2 ** 31, 2 ** 53 - 1, -(2 ** 53) + 1, 1e21, 1e300];
    await echoes(t, [...floats, ...integers]);
  },

  async deep_nesting(t) {
    let value = "core";
    for (let i = 0; i < 50; i++) value = i % 2 ? [value] : { value };
    await echoes(t, [value]);
  },

  async objects_like_placeholders(t) {
    await echoes(t, [{ num: 0, placeholder: true }, { _placeholder: false, num: 0 }]);
  },

  async event_named_like_a_number(t) {
    const socket = await t.connected();
    assert.deepEqual(await t.echo(socket, "42", "x"), ["x"]);
  },

  async event_with_an_odd_name(t) {
    const socket = await t.connected();
    assert.deepEqual(await t.echo(socket, 'naïve "event" 🦜\n', 1), [1]);
  },

  async message_event(t) {
    const socket = await t.connected();
    const reply = t.wait(socket, "message");
    socket.send("hello", { n: 1 });
    assert.deepEqual(await reply, ["hello", { n: 1 }]);
  },

  async catch_all_listener(t) {
    // In a namespace of its own, for other behaviours broadcast in `/`.
    const socket = await t.connected(t.namespace);
    const calls = [];
    socket.onAny((...args) => calls.push(args));
    socket.emit("echo", 1);
    socket.emit("42", bytes(3));
    await t.settle(socket);
    assert.deepEqual(calls, [["echo", 1], ["42", bytes(3)]]);
  },

  async compress_flag_is_harmless(t) {
    const socket = await t.connected();
    const reply = t.wait(socket, "echo");
    socket.compress(true).emit("echo uncompressed", "x".repeat(5000));
    assert.deepEqual(await reply, ["x".repeat(5000)]);
  },

  async buffer(t) {
    await echoes(t, [bytes(256)]);
  },

  async empty_buffer(t) {
    await echoes(t, [Buffer.alloc(0), "after"]);
  },

  async nested_binary(t) {
    await echoes(t, [{ name: "f", parts: [{ data: bytes(5) }, bytes(1)] }, "x", bytes(9)]);
  },

  async array_buffer(t) {
    await echoes(t, [Uint8Array.from([1, 2, 3]).buffer], [Buffer.from([1, 2, 3])]);
  },

  async typed_arrays(t) {
    const whole = new Uint8Array(bytes(8));
    const part = new Uint8Array(whole.buffer, 2, 3);
    const words = new Uint16Array([1, 0x1234]);
    const view = new DataView(whole.buffer, 1, 2);
    const plain = [part, words, view].map(({ buffer, byteOffset, byteLength }) =>
      Buffer.from(buffer, byteOffset, byteLength),
    );
    await echoes(t, [part, words, view], plain);
  },

  async attachments_in_order(t) {
    // Ten is the most that the parser of the newest clients takes.
    await echoes(t, Array.from({ length: 10 }, (_, i) => Buffer.alloc(i + 1, i)));
  },

  async large_text(t) {
    await echoes(t, ["päräy🦜 ".repeat(20000)]);
  },

  async large_binary(t) {
    await echoes(t, [bytes(200_000)]);
  },

  async two_hundred_events_in_order(t) {
    const socket = t.open();
    const heard = t.record(socket, "echo");
    await t.wait(socket, "connect");
    for (let i = 0; i < 200; i++) {
      socket.emit("echo", i);
      // Now and then let the socket write, so that in `upgrade` some go before and some after it.
      if (i % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await t.settle(socket);
    assert.deepEqual(heard, Array.from({ length: 200 }, (_, i) => [i]));
  },

  async text_and_binary_keep_their_order(t) {
    const socket = await t.connected();
    const heard = t.record(socket, "echo");
    const sent = Array.from({ length: 40 }, (_, i) => (i % 3 ? [i, bytes(i)] : [i]));
    for (const args of sent) socket.emit("echo", ...args);
    await t.settle(socket);
    assert.deepEqual(heard, sent);
  },
};
