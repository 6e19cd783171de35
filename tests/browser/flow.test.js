// The whole flow as people go through it: sign in, allow, back in the app.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { codeOf } from "./support/authenticator.js";
import { allow, deny, launch, person, sideways, signIn, submit } from "./support/browser.js";
import { OUT_OF_BAND, Server, callback } from "./support/server.js";

let browser;
before(async () => (browser = await launch()));
after(() => browser.close());

// A server, an app that listens on this machine, and the address it sends people to.
async function world(t, more) {
  const server = await Server.start(t);
  const app = await callback(t);
  const uri = `http://127.0.0.1:${app.port}/callback`;
  const client = await server.register("Elk", uri, "read write", "https://elk.example");
  const start = server.authorize(client, uri, "read write", { state: "a b&c", ...more });
  return { server, app, uri, client, start };
}

// The app was reached once, with what it needs and nothing else.
async function assertReached({ server, app, uri, client }, method = "GET") {
  const [{ method: used, params }, ...more] = app.reached;
  assert.deepEqual([used, more], [method, []]);
  assert.deepEqual(params, { code: params.code, state: "a b&c", iss: await server.issuer() });
  const { status, json } = await server.redeem(client, params.code, uri);
  assert.deepEqual([status, json.scope], [200, "read write"]);
}

const SMALL = { viewport: { width: 320, height: 640 } };

for (const [look, options] of Object.entries({
  "on a phone": {},
  "320 pixels wide, in the dark": { ...SMALL, colorScheme: "dark" },
  "320 pixels wide, from right to left": { ...SMALL, language: "ar" },
})) {
  test(`who clicks Sign in and Allow ${look} is back in the app, with a code worth a token, state and iss`, async (t) => {
    // C-AUT-22, H-03
    const there = await world(t);
    const { page, complaints } = await person(t, browser, options);
    await page.goto(there.start);
    assert.equal(await page.getAttribute("html", "dir"), options.language === "ar" ? "rtl" : "ltr");
    await page.fill("#email", "alice@example.org");
    await page.fill("#password", "alice");
    await submit(page, page.locator("form").first().locator("button"));
    assert.equal(await sideways(page), 0);
    await submit(page, allow(page));
    assert.equal(await page.textContent("h1"), "Back in the app");
    await assertReached(there);
    assert.deepEqual(complaints, []);
  });
}

test("the keyboard alone does, and shows where it is", async (t) => {
  const there = await world(t);
  const { page, complaints } = await person(t, browser);
  const tabTo = async (locator) => {
    const wanted = await locator.elementHandle();
    for (let pressed = 0; pressed < 40; pressed++) {
      await page.keyboard.press("Tab");
      const ring = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
      assert.equal(ring, "solid", "what has the focus has a ring");
      if (await page.evaluate((wanted) => document.activeElement === wanted, wanted)) return;
    }
    assert.fail("it cannot be reached with Tab");
  };
  const enter = (key) => Promise.all([page.waitForEvent("load"), page.keyboard.press(key)]);

  await page.goto(there.start);
  await page.locator("#email:focus").waitFor(); // the field for the name has it from the start
  await page.keyboard.type("alice");
  await page.keyboard.press("Tab");
  await page.keyboard.type("alice");
  await enter("Enter");
  await tabTo(page.locator("details summary"));
  await page.keyboard.press("Enter");
  assert.ok(await page.locator("details code").isVisible(), "the raw names of the scopes are open");
  await page.reload();
  await tabTo(deny(page));
  await enter("Space");
  assert.equal(there.app.reached.pop().params.error, "access_denied");
  await page.goto(there.start);
  await tabTo(allow(page));
  await enter("Enter");
  await assertReached(there);
  assert.deepEqual(complaints, []);
});

test("nobody needs JavaScript", async (t) => {
  const there = await world(t);
  const { page, complaints } = await person(t, browser, { javaScriptEnabled: false });
  await page.goto(there.start);
  await signIn(page);
  await submit(page, allow(page));
  await assertReached(there);
  assert.deepEqual(complaints, []);
});

test("who has a second factor is asked for its code on a page of its own, with or without JavaScript", async (t) => {
  // H-14, H-29
  const there = await world(t);
  const { page, complaints } = await person(t, browser);
  await page.goto(`${there.server.url}/account/second_factor`);
  await signIn(page);
  const secret = await page.inputValue("input[name=secret]");
  await page.fill("#code", codeOf(secret, -1)); // no step counts twice, and there are two more to come
  await page.fill("#password", "alice");
  await submit(page, page.locator("main form button"));
  assert.equal(await page.locator("ol.code li").count(), 10);
  assert.deepEqual(complaints, []);

  for (const [later, options] of [[0, {}], [1, { javaScriptEnabled: false }]]) {
    const { page, complaints } = await person(t, browser, options);
    await page.goto(there.start);
    await signIn(page);
    assert.equal(await page.locator(".choice").count(), 0, "the password alone does not do");
    await page.fill("#code", codeOf(secret, later));
    await submit(page, page.locator("#code"), "Enter");
    await submit(page, allow(page));
    await assertReached(there);
    there.app.reached.pop();
    assert.deepEqual(complaints, []);
  }
});

test("in dev one click signs in", async (t) => {
  const there = await world(t);
  const { page, complaints } = await person(t, browser);
  await page.goto(there.start);
  await submit(page, page.locator(".one-click button").first());
  await submit(page, allow(page));
  await assertReached(there);
  assert.deepEqual(complaints, []);
});

test("who denies is back in the app, which is told so", async (t) => {
  // C-AUT-31
  const there = await world(t);
  const { page, complaints } = await person(t, browser);
  await page.goto(there.start);
  await signIn(page);
  await submit(page, deny(page));
  const [{ params }] = there.app.reached;
  assert.deepEqual([params.error, params.state, params.code], ["access_denied", "a b&c", undefined]);
  assert.deepEqual(complaints, []);
});

test("another account can be used, for the same request", async (t) => {
  const there = await world(t);
  const { page, complaints } = await person(t, browser);
  await page.goto(there.start);
  await signIn(page);
  await submit(page, page.locator(".well button"));
  assert.match(await page.textContent(".lead"), /Elk/);
  await signIn(page);
  await submit(page, allow(page));
  await assertReached(there);
  assert.deepEqual(complaints, []);
});

test("a form is posted to the app by itself", async (t) => {
  // C-AUT-24, H-31
  const there = await world(t, { response_mode: "form_post" });
  const { page, complaints } = await person(t, browser);
  await page.goto(there.start);
  await signIn(page);
  await allow(page).click();
  await page.waitForURL(there.uri);
  await assertReached(there, "POST");
  assert.deepEqual(complaints, []);
});

test("without JavaScript a form is posted to the app with one more click", async (t) => {
  // C-AUT-24, H-31
  const there = await world(t, { response_mode: "form_post" });
  const { page, complaints } = await person(t, browser, { javaScriptEnabled: false });
  await page.goto(there.start);
  await signIn(page);
  await submit(page, allow(page));
  assert.deepEqual(there.app.reached, []);
  await submit(page, page.locator("main form button"));
  await assertReached(there, "POST");
  assert.deepEqual(complaints, []);
});

test("one click selects the whole code, and nothing but the code", async (t) => {
  // C-AUT-42
  const server = await Server.start(t);
  const client = await server.register("toot", OUT_OF_BAND, "read");
  const { page, complaints } = await person(t, browser, SMALL);
  await page.goto(server.authorize(client, OUT_OF_BAND, "read"));
  await signIn(page);
  await submit(page, allow(page));
  await page.click(".code");
  const selected = await page.evaluate(() => getSelection().toString());
  assert.equal(selected.trim(), new URL(page.url()).searchParams.get("code"));
  const { status } = await server.redeem(client, selected.trim(), OUT_OF_BAND);
  assert.equal(status, 200);
  assert.deepEqual(complaints, []);
});
