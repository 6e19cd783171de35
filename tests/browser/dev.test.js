// The page at /dev, held to the rules of every other page, and its buttons pressed.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { launch, lowTargets, person, sideways, submit, violations } from "./support/browser.js";
import { OUT_OF_BAND, Server } from "./support/server.js";

const LOOKS = [
  { width: 390, colorScheme: "light" },
  { width: 390, colorScheme: "dark" },
  { width: 320, colorScheme: "light" },
  { width: 320, colorScheme: "dark" },
  { width: 1280, colorScheme: "light", contrast: "more" },
];

let browser;
before(async () => (browser = await launch()));
after(() => browser.close());

test("what happened is told on a page that anybody can read, and its buttons work", async (t) => {
  const server = await Server.start(t);
  const { page, complaints } = await person(t, browser);
  const look = async (state) => {
    for (const { width, colorScheme, contrast = "no-preference" } of LOOKS) {
      await page.setViewportSize({ width, height: 800 });
      await page.emulateMedia({ colorScheme, contrast });
      const where = `${state}, ${width} px, ${colorScheme}`;
      assert.deepEqual(await violations(page), [], where);
      assert.deepEqual(await lowTargets(page), [], where);
      assert.ok((await sideways(page)) <= 0, where);
      const folder = process.env.HALLPASS_DEV_SCREENSHOTS;
      if (folder) await page.screenshot({ path: `${folder}/${where.replaceAll(/[ ,]+/g, "-")}.png`, fullPage: true });
    }
  };
  await page.goto(`${server.url}/dev`);
  await look("nothing yet");

  const app = await server.register(`A client with a long name-${"x".repeat(60)}`, OUT_OF_BAND, "read write");
  await server.redeem(app, "no-code-of-ours".repeat(20), OUT_OF_BAND);
  await page.goto(`${server.url}/oauth/authorize?client_id=nobody&state=${"s".repeat(300)}`);
  await page.goto(`${server.url}/dev`);
  await submit(page, page.getByRole("button", { name: "An hour on" }));
  await page.fill("#path", "/health");
  await submit(page, page.getByRole("button", { name: "Connection dropped" }));
  assert.match(await page.locator("main").textContent(), /"kind":"dropped"/);
  for (const summary of await page.locator("summary").all()) await summary.click();
  await look("requests and a fault");

  await page.fill("#path", "health");
  await submit(page, page.getByRole("button", { name: "Slow" }));
  assert.match(await page.locator("[role=alert]").textContent(), /path is a path/);
  await look("refused");
  await submit(page, page.getByRole("button", { name: "Reset everything" }));
  assert.match(await page.locator("main").textContent(), /None yet/);
  assert.deepEqual(complaints, []);
});
