// Answers: the server's to the client, and the client's to the server.
"use strict";

const assert = require("node:assert/strict");

module.exports = {
  async server_answers(t) {
    const socket = await t.connected();
    assert.deepEqual(await t.ask(socket, "answer", "x"), ["x"]);
  },

  async server_answers_with_several_values(t) {
    const socket = await t.connected();
    const values = [1, "two", [3], { four: 4 }, null];
    assert.deepEqual(await t.ask(socket, "answer", ...values), values);
  },

  async server_answers_with_nothing(t) {
    const socket = await t.connected();
    assert.deepEqual(await t.ask(socket, "answer nothing"), []);
  },

  async server_answers_with_binary(t) {
    const socket = await t.connected();
    const values = [Buffer.from([0, 255]), { inner: Buffer.from("x") }, "text"];
    assert.deepEqual(await t.ask(socket, "answer", ...values), values);
  },

  async server_answers_later(t) {
    const socket = await t.connected();
    assert.deepEqual(await t.ask(socket, "answer after", 30, "late"), ["late"]);
  },

  async server_answers_from_a_thread(t) {
    const socket = await t.connected();
    assert.deepEqual(await t.ask(socket, "answer from a thread", "away"), ["away"]);
  },

  async answers_find_their_asks_in_any_order(t) {
    const socket = await t.connected();
    const order = [];
    const one = async (ms, value) => {
      const [answer] = await t.ask(socket, "answer after", ms, value);
      order.push(value);
      return answer;
    };
    const answers = await Promise.all([one(300, "slow"), one(1, "quick")]);
    assert.deepEqual(answers, ["slow", "quick"]);
    assert.deepEqual(order, ["quick", "slow"]);
  },

  async answers_in_a_namespace(t) {
    const socket = await t.connected("/other");
    const values = ["x", Buffer.from([1])];
    assert.deepEqual(await t.ask(socket, "answer", ...values), values);
  },

  async client_answers(t) {
    const socket = await t.connected();
    socket.on("question", (a, b, answer) => answer(a + b));
    const answered = t.wait(socket, "answered");
    socket.emit("ask", 2, 3);
    assert.deepEqual(await answered, [5]);
  },

  async client_answers_with_several_values(t) {
    const socket = await t.connected();
    socket.on("question", (answer) => answer("a", null, { b: 1 }));
    const answered = t.wait(socket, "answered");
    socket.emit("ask");
    assert.deepEqual(await answered, ["a", null, { b: 1 }]);
  },

  async client_answers_with_binary(t) {
    const socket = await t.connected();
    socket.on("question", (bytes, answer) => answer({ twice: Buffer.concat([bytes, bytes]) }));
    const answered = t.wait(socket, "answered");
    socket.emit("ask", Buffer.from([1, 2]));
    assert.deepEqual(await answered, [{ twice: Buffer.from([1, 2, 1, 2]) }]);
  },

  async client_answers_many_asks_backwards(t) {
    const socket = await t.connected();
    const pending = [];
    socket.on("question", (n, answer) => {
      pending.push(() => answer(n));
      if (pending.length === 10) pending.reverse().forEach((settle) => settle());
    });
    const answers = t.record(socket, "answered");
    for (let i = 0; i < 10; i++) socket.emit("ask", i);
    while (answers.length < 10) await t.wait(socket, "answered");
    assert.deepEqual(answers, Array.from({ length: 10 }, (_, i) => [9 - i]));
  },

  async silent_client_times_out(t) {
    const socket = await t.connected();
    let late;
    socket.on("question", (answer) => (late = answer));
    const answers = t.record(socket, "answered");
    const unanswered = t.wait(socket, "unanswered");
    socket.emit("ask briefly");
    await unanswered;
    late("too late");
    await t.settle(socket);
    assert.deepEqual(answers, []);
  },
};
