// Tabs of a real browser on the demo's page: `node tabs.js URL NAME` runs one scenario of them.
"use strict";
const assert = require("node:assert/strict");
const { chromium } = require("playwright-core");

const BROWSER = {
  executablePath: process.env.PARLOR_CHROMIUM ?? "/usr/bin/chromium",
  args: [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
  ],
};
const EFFECT_MS_MAX = 5_000;

const scenarios = {
  async two_tabs_chat(open) {
    const ann = await open("Ann"), bob = await open("Bob");
    await people(ann, "Ann", "Bob");
    await people(bob, "Ann", "Bob");
    await say(ann, "Hello, <b>Bob</b> & \"all\" 🦜");
    await bob.locator(".said", { hasText: "Ann" }).waitFor();
    const heard = await bob.locator(".said").innerText();
    assert.equal(heard.replace(/\s+/g, " "), "Ann Hello, <b>Bob</b> & \"all\" 🦜");
    // The server's acknowledgement has come, too.
    await ann.locator(".mine:not(.waiting)", { hasText: "Hello" }).waitFor();
    await say(bob, "Hello yourself");
    await ann.locator(".said:not(.mine)", { hasText: "Hello yourself" }).waitFor();
    assert.equal(await ann.locator(".said").count(), 2);
  },

  async typing_shows_until_the_message_comes(open) {
    const ann = await open("Ann"), bob = await open("Bob");
    await people(ann, "Ann", "Bob");
    await people(bob, "Ann", "Bob");
    const typing = bob.locator("#typing");
    await ann.locator("#text").pressSequentially("Hel");
    await typing.filter({ hasText: "Ann is typing" }).waitFor();
    await say(ann, "Hello");
    await bob.locator(".said", { hasText: "Hello" }).waitFor();
    assert.equal(await typing.innerText(), "");
    assert.equal(await ann.locator("#typing").innerText(), "");
  },

  async a_reloaded_tab_comes_back(open) {
    const ann = await open("Ann"), bob = await open("Bob");
    await people(bob, "Ann", "Bob");
    await ann.reload();
    await bob.locator(".note", { hasText: "Ann left" }).waitFor();
    await bob.locator(".note", { hasText: "Ann came in" }).waitFor();
    await people(ann, "Ann", "Bob");
    await people(bob, "Ann", "Bob");
    await say(ann, "Here again");
    await bob.locator(".said", { hasText: "Here again" }).waitFor();
  },

  async a_name_that_is_being_typed_is_kept(open) {
    const ann = await open("Ann");
    await people(ann, "Ann");
    const told = await ann.locator(".note").count();
    // She types on while the answer to the name before is under way.
    await ann.evaluate(() => {
      enter();
      document.getElementById("name").value = "Anna";
    });
    await ann.locator(".note").nth(told).waitFor();
    assert.equal(await ann.locator("#name").inputValue(), "Anna");
    await fill(ann, "#name", "Anne");
    await people(ann, "Anne");
  },

  async rooms_do_not_hear_each_other(open) {
    const ann = await open("Ann"), bob = await open("Bob");
    await people(bob, "Ann", "Bob");
    await fill(ann, "#room", "attic");
    await bob.locator(".note", { hasText: "Ann left" }).waitFor();
    await people(ann, "Ann");
    await say(ann, "Anybody here?");
    await ann.locator(".mine:not(.waiting)").waitFor();
    await fill(ann, "#room", "lobby");
    await people(bob, "Ann", "Bob");
    assert.equal(await bob.locator(".said").count(), 0);
  },
};

async function say(page, text) {
  await page.locator("#text").fill(text);
  await page.locator("button").click();
}
async function fill(page, field, value) {
  await page.locator(field).fill(value);
  await page.locator(field).press("Enter");
}
/** Waits until these are in the page's list of people. */
async function people(page, ...names) {
  const all = JSON.stringify(names);
  const shown = () => page.locator("#people li").allInnerTexts();
  const deadline = performance.now() + EFFECT_MS_MAX;
  while (JSON.stringify((await shown()).sort()) !== all) {
    assert(performance.now() < deadline, `${await shown()} are here, not ${all}`);
  }
}

async function run(url, scenario) {
  const browser = await chromium.launch(BROWSER);
  const errors = [];
  try {
    const context = await browser.newContext();
    context.setDefaultTimeout(EFFECT_MS_MAX);
    await scenario(async (name) => {
      const page = await context.newPage();
      page.on("pageerror", (error) => errors.push(`${name}: ${error}`));
      page.on("console", (line) => {
        if (["error", "warning"].includes(line.type())) errors.push(`${name}: ${line.text()}`);
      });
      await page.goto(url);
      await page.locator("#status.online").waitFor();
      await fill(page, "#name", name);
      return page;
    });
    assert.deepEqual(errors, []);
  } finally {
    await browser.close();
  }
}

const [url, name] = process.argv.slice(2);
run(url, scenarios[name]).catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
