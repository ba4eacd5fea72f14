// Runs behaviours against a server.
//
//   node behaviours.js --list                   the names of all behaviours, a line each
//   node behaviours.js URL VERSION MODE NAME    one of them; exits with 0 or 1
//   node behaviours.js URL VERSION MODE         those named on stdin: a line `ID NAME` each,
//                                               answered by a line of JSON each, in any order
"use strict";

const { createInterface } = require("node:readline");
const { Context } = require("./client");

const BEHAVIOURS = Object.assign(
  {},
  require("./behaviours/connecting"),
  require("./behaviours/arguments"),
  require("./behaviours/acks"),
  require("./behaviours/rooms"),
  require("./behaviours/ending"),
);

/** Null, or what went wrong. */
async function run(url, version, mode, name) {
  const behaviour = BEHAVIOURS[name];
  if (!behaviour) return `no behaviour is called ${name}`;
  const context = new Context(url, version, mode);
  try {
    await behaviour(context);
    return null;
  } catch (error) {
    return error.stack ?? String(error);
  } finally {
    context.close();
  }
}

async function main([url, version, mode, name]) {
  if (url === "--list") {
    console.log(Object.keys(BEHAVIOURS).join("\n"));
  } else if (name) {
    const failure = await run(url, version, mode, name);
    console.log(failure ?? `ok: ${name}, ${version}, ${mode}`);
    process.exit(failure ? 1 : 0);
  } else {
    const lines = createInterface({ input: process.stdin });
    lines.on("line", async (line) => {
      const [id, wanted] = line.split(" ");
      const failure = await run(url, version, mode, wanted);
      console.log(JSON.stringify({ id: Number(id), failure }));
    });
    lines.on("close", () => process.exit(0));
  }
}

main(process.argv.slice(2));
