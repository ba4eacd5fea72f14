// Who hears a broadcast. Each behaviour uses its own key as the event's name and in its rooms'.
"use strict";

const assert = require("node:assert/strict");

/** Connected clients, and what each hears of the behaviour's own event. */
async function audience(t, count, namespace = "/") {
  const opening = Array.from({ length: count }, () => t.connected(namespace));
  const clients = await Promise.all(opening);
  const heard = clients.map((socket) => t.record(socket, t.key));
  return { clients, heard };
}

module.exports = {
  async room_reaches_members_but_not_the_sender(t) {
    const { clients, heard } = await audience(t, 3);
    const [sender, member] = clients;
    for (const socket of [sender, member]) await t.ask(socket, "join", t.key);
    sender.emit("to room", t.key, t.key, { n: 1 });
    await t.settle(...clients);
    assert.deepEqual(heard, [[], [[{ n: 1 }]], []]);
  },

  async room_is_reached_by_one_outside(t) {
    const { clients, heard } = await audience(t, 2);
    await t.ask(clients[1], "join", t.key);
    clients[0].emit("to room", t.key, t.key, "hi");
    await t.settle(...clients);
    assert.deepEqual(heard, [[], [["hi"]]]);
  },

  async room_includes_the_sender_when_asked_of_the_server(t) {
    const { clients, heard } = await audience(t, 3);
    for (const socket of clients.slice(0, 2)) await t.ask(socket, "join", t.key);
    clients[0].emit("in room", t.key, t.key, 1);
    await t.settle(...clients);
    assert.deepEqual(heard, [[[1]], [[1]], []]);
  },

  async left_room_is_silent(t) {
    const { clients, heard } = await audience(t, 2);
    for (const socket of clients) await t.ask(socket, "join", t.key);
    await t.ask(clients[1], "leave", t.key);
    clients[0].emit("in room", t.key, t.key, 1);
    await t.settle(...clients);
    assert.deepEqual(heard, [[[1]], []]);
  },

  async except_leaves_a_room_out(t) {
    const { clients, heard } = await audience(t, 3);
    for (const socket of clients) await t.ask(socket, "join", t.key);
    await t.ask(clients[1], "join", `${t.key} not`);
    clients[0].emit("in room except", t.key, `${t.key} not`, t.key, 1);
    await t.settle(...clients);
    assert.deepEqual(heard, [[[1]], [], [[1]]]);
  },

  async union_of_rooms_has_no_duplicates(t) {
    const { clients, heard } = await audience(t, 3);
    const [one, two] = [`${t.key} 1`, `${t.key} 2`];
    await t.ask(clients[0], "join", one);
    await t.ask(clients[1], "join", one);
    await t.ask(clients[1], "join", two);
    await t.ask(clients[2], "join", two);
    clients[0].emit("in rooms", [one, two], t.key, 1);
    await t.settle(...clients);
    assert.deepEqual(heard, [[[1]], [[1]], [[1]]]);
  },

  async same_room_in_another_namespace_is_another(t) {
    const here = await audience(t, 1);
    const there = await audience(t, 1, "/other");
    const all = [...here.clients, ...there.clients];
    for (const socket of all) await t.ask(socket, "join", t.key);
    all[0].emit("in room", t.key, t.key, 1);
    await t.settle(...all);
    assert.deepEqual([...here.heard, ...there.heard], [[[1]], []]);
  },

  async binary_reaches_a_room(t) {
    const { clients, heard } = await audience(t, 3);
    for (const socket of clients) await t.ask(socket, "join", t.key);
    const bytes = Buffer.from([0, 1, 254, 255]);
    clients[0].emit("bytes to room", t.key, t.key, bytes);
    await t.settle(...clients);
    assert.deepEqual(heard, [[], [[bytes]], [[bytes]]]);
  },

  async broadcasts_keep_their_order(t) {
    const { clients, heard } = await audience(t, 3);
    for (const socket of clients) await t.ask(socket, "join", t.key);
    for (let i = 0; i < 100; i++) clients[0].emit("to room", t.key, t.key, i);
    await t.settle(...clients);
    const all = Array.from({ length: 100 }, (_, i) => [i]);
    assert.deepEqual(heard, [[], all, all]);
  },

  async others_all_hear(t) {
    const { clients, heard } = await audience(t, 3);
    clients[0].emit("to others", t.key, "psst");
    await t.settle(...clients);
    assert.deepEqual(heard, [[], [["psst"]], [["psst"]]]);
  },

  async all_hear_in_this_namespace_only(t) {
    const here = await audience(t, 2);
    const there = await audience(t, 1, "/other");
    const all = [...here.clients, ...there.clients];
    all[0].emit("to all", t.key, "hear");
    await t.settle(...all);
    assert.deepEqual([...here.heard, ...there.heard], [[["hear"]], [["hear"]], []]);
  },

  async one_socket_is_reached_by_id(t) {
    const { clients, heard } = await audience(t, 3);
    clients[0].emit("to socket", clients[2].id, t.key, "you");
    await t.settle(...clients);
    assert.deepEqual(heard, [[], [], [["you"]]]);
  },

  async server_moves_members(t) {
    const { clients, heard } = await audience(t, 2);
    await t.ask(clients[1], "join", `${t.key} old`);
    await t.ask(clients[0], "move room", `${t.key} old`, `${t.key} new`);
    clients[0].emit("in room", `${t.key} old`, t.key, "old");
    clients[0].emit("in room", `${t.key} new`, t.key, "new");
    await t.settle(...clients);
    assert.deepEqual(heard, [[], [["new"]]]);
  },

  async server_disconnects_members(t) {
    const [sender, member] = (await audience(t, 2)).clients;
    await t.ask(member, "join", t.key);
    const ended = t.wait(member, "disconnect");
    sender.emit("disconnect room", t.key);
    assert.equal((await ended)[0], "io server disconnect");
    await t.settle(sender);
  },

  async rooms_end_with_their_member(t) {
    const { clients, heard } = await audience(t, 2);
    const [sender, member] = clients;
    await t.ask(member, "join", t.key);
    member.disconnect();
    const again = t.wait(member, "connect");
    member.connect();
    await again;
    sender.emit("to room", t.key, t.key, 1);
    await t.settle(...clients);
    assert.deepEqual(heard, [[], []]);
  },

  async volatile_reaches_an_idle_client(t) {
    const socket = await t.connected();
    // Whether a poll is parked at that instant is chance: a volatile event may be lost, not all.
    for (let attempt = 0; attempt < 20; attempt++) {
      const heard = t.record(socket, "volatile");
      socket.emit("volatile after", 20, attempt);
      await t.ask(socket, "answer after", 60, 0);
      if (heard.length > 0) return assert.deepEqual(heard, [[attempt]]);
    }
    assert.fail("none of 20 volatile events arrived");
  },
};
