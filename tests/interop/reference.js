// The application of server.rs on the reference server: `node reference.js PORT`. The suite run
// against it (PARLOR_INTEROP_URL) shows that a behaviour is the reference's own.
"use strict";

const { createServer } = require("node:http");
const { Server } = require("socket.io");

function events(socket) {
  const room = (...names) => socket.nsp.to(names);
  const on = {
    echo: (...args) => socket.emit("echo", ...args),
    42: (...args) => socket.emit("42", ...args),
    'naïve "event" 🦜\n': (...args) => socket.emit('naïve "event" 🦜\n', ...args),
    message: (...args) => socket.send(...args),
    "echo uncompressed": (...args) => socket.compress(false).emit("echo", ...args),
    where: (ack) => ack(socket.nsp.name),
    handshake: (query, header, ack) => {
      const { auth, query: queries, headers } = socket.handshake;
      ack(auth, queries[query] ?? null, headers[header] ?? null);
    },

    answer: (...args) => args.pop()(...args),
    "answer nothing": (ack) => ack(),
    "answer after": (ms, value, ack) => setTimeout(() => ack(value), ms),
    "answer from a thread": (value, ack) => setImmediate(() => ack(value)),
    ask: (...args) => ask(socket, 5000, args),
    "ask briefly": (...args) => ask(socket, 100, args),

    join: (name, ack) => ack(socket.join(name)),
    leave: (name, ack) => ack(socket.leave(name)),
    "to room": (name, event, value) => socket.to(name).emit(event, value),
    "bytes to room": (name, event, bytes) => socket.to(name).emit(event, bytes),
    "in room": (name, event, value) => room(name).emit(event, value),
    "in rooms": (names, event, value) => room(...names).emit(event, value),
    "in room except": (name, not, event, value) => room(name).except(not).emit(event, value),
    "to others": (event, value) => socket.broadcast.emit(event, value),
    "to all": (event, value) => socket.nsp.emit(event, value),
    "to socket": (id, event, value) => socket.to(id).emit(event, value),
    "move room": (from, to, ack) => {
      socket.nsp.in(from).socketsJoin(to);
      socket.nsp.in(from).socketsLeave(from);
      ack();
    },
    "disconnect room": (name) => socket.nsp.in(name).disconnectSockets(),
    "volatile after": (ms, value) => setTimeout(() => socket.volatile.emit("volatile", value), ms),

    watch: (id, ack) => ack(socket.join(`watch ${id}`)),
    "disconnect me": () => socket.disconnect(),
    "disconnect session": () => socket.disconnect(true),
  };
  for (const [event, handler] of Object.entries(on)) socket.on(event, handler);

  socket.on("disconnecting", (reason) => {
    const rooms = [...socket.rooms].filter((name) => name !== socket.id).sort();
    socket.nsp.to(`watch ${socket.id}`).emit("left", reason, rooms);
  });
}

function ask(socket, ms, question) {
  socket.timeout(ms).emit("question", ...question, (error, ...answer) => {
    if (error) socket.emit("unanswered");
    else socket.emit("answered", ...answer);
  });
}

function application(options) {
  const http = createServer();
  const io = new Server(http, options);
  io.on("connection", events);
  io.of("/other").on("connection", events);
  io.of("/custom").on("connection", events);
  io.of("/guarded")
    .use((socket, next) => {
      if (socket.handshake.auth.token === "secret") return next();
      const refusal = new Error("not authorized");
      refusal.data = { code: 401, hint: "wrong token" };
      next(refusal);
    })
    .on("connection", events);
  io.of("/early")
    .use((socket, next) => {
      socket.emit("early", 1);
      next();
    })
    .on("connection", (socket) => socket.emit("welcome", 2));
  return { http, io };
}

// A second server has short heartbeats; its port is asked for at the first.
const brisk = application({ pingInterval: 250, pingTimeout: 1000 });
brisk.http.listen(0, "127.0.0.1", () => {
  const { http, io } = application({});
  const { port } = brisk.http.address();
  io.on("connection", (socket) => socket.on("brisk port", (ack) => ack(port)));
  http.listen(Number(process.argv[2] ?? 3000), "127.0.0.1");
});
