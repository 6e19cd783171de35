// The README's pictures: HALLPASS_SCREENSHOTS=tests/browser/screenshots tests/browser/run makes them anew.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { join } from "node:path";

import { launch, person, signIn } from "./support/browser.js";
import { Server } from "./support/server.js";

const folder = process.env.HALLPASS_SCREENSHOTS;
const skip = !folder && "HALLPASS_SCREENSHOTS names no folder";

let browser;
before(async () => (browser = skip ? undefined : await launch()));
after(() => browser?.close());

for (const colorScheme of ["light", "dark"]) {
  test(`the question before an app may act has its picture, ${colorScheme}`, { skip }, async (t) => {
    const server = await Server.start(t);
    const uri = "https://elk.example/callback";
    const scopes = "read:accounts read:statuses write:statuses write:media push";
    const app = await server.register("Elk", uri, scopes, "https://elk.example");
    const { page } = await person(t, browser, { colorScheme });
    await page.goto(server.authorize(app, uri, scopes));
    await signIn(page);
    const top = await page.locator(".dev").evaluate((banner) => banner.getBoundingClientRect().bottom);
    const bottom = await page.locator("footer").evaluate((footer) => footer.getBoundingClientRect().top);
    assert.ok(bottom > top);
    const clip = { x: 0, y: Math.ceil(top), width: 390, height: Math.floor(bottom - top) };
    await page.screenshot({ path: join(folder, `consent-${colorScheme}.png`), clip, fullPage: true });
  });
}
