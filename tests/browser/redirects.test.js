// The click on Allow has to leave our page. Chromium holds the page's `form-action` against every redirect that follows a click,
// so a wrong policy makes the button do nothing (C-RC-14).

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { allow, launch, person, signIn } from "./support/browser.js";
import { Server, callback } from "./support/server.js";

const BLOCKED = /^Sending form data to '.*' violates the following Content Security Policy directive: "form-action /;

let browser;
before(async () => (browser = await launch()));
after(() => browser.close());

// A server with an app, and a browser in which alice is signed in.
async function world(t, uri) {
  const server = await Server.start(t);
  const app = await server.register("App", uri, "read");
  const { page, complaints } = await person(t, browser);
  await page.goto(`${server.url}/auth/sign_in`);
  await signIn(page);
  return { server, app, uri, page, complaints };
}

// Clicks Allow and waits for its end: the app's page, a navigation that Chromium hands on to another program, or a complaint.
async function clickAllow({ server, app, uri, page, complaints }) {
  await page.goto(server.authorize(app, uri, "read", { state: "s" }));
  const begun = [];
  page.on("request", (request) => begun.push(request.url()));
  const blocked = page.waitForEvent("console", { predicate: (message) => BLOCKED.test(message.text()) }).then(() => "blocked");
  const arrived = page.waitForEvent("load").then(() => "arrived");
  const handedOn = page
    .waitForEvent("requestfailed", { predicate: (request) => !/^https?:/.test(request.url()) })
    .then(() => "handed on");
  for (const wait of [blocked, arrived, handedOn]) wait.catch(() => {}); // all but one wait in vain
  await allow(page).click();
  const end = await Promise.race([blocked, arrived, handedOn]);
  await page.evaluate(() => new Promise((resolve) => setTimeout(resolve))); // what the browser says beside it has been said
  return { end, left: begun.filter((url) => !url.startsWith(server.url)), complaints };
}

// The consent page as it would be with `form-action 'self'`: what these tests have to notice.
async function withFormActionSelf(page) {
  await page.route(/\/oauth\/authorize\?/, async (route) => {
    const response = await route.fetch({ maxRedirects: 0 });
    const headers = response.headers();
    const policy = headers["content-security-policy"].replace(/form-action [^;]*/, "form-action 'self'");
    await route.fulfill({ response, headers: { ...headers, "content-security-policy": policy } });
  });
}

const isAnswer = (url, uri) => url.startsWith(`${uri}?code=`) && /&state=s&iss=http/.test(url);

for (const [kind, tls, host] of [["https", true, "app.example"], ["loopback http", false, "127.0.0.1"]]) {
  const address = (port) => `${tls ? "https" : "http"}://${host}:${port}/callback`;

  test(`a click on Allow leads to a callback over ${kind}`, async (t) => {
    // C-RC-14, C-AUT-22
    const { port, reached } = await callback(t, { tls });
    const there = await world(t, address(port));
    assert.deepEqual(await clickAllow(there), { end: "arrived", left: [there.page.url()], complaints: [] });
    assert.ok(isAnswer(there.page.url(), there.uri), there.page.url());
    assert.deepEqual(reached.map(({ params }) => params.state), ["s"]);
  });

  test(`with form-action 'self' a click on Allow would not reach a callback over ${kind}`, async (t) => {
    const { port, reached } = await callback(t, { tls });
    const there = await world(t, address(port));
    await withFormActionSelf(there.page);
    assert.equal((await clickAllow(there)).end, "blocked");
    assert.deepEqual(reached, []);
  });
}

test("a click on Allow opens the app's own scheme", async (t) => {
  // C-RC-14. There is no such program here: the browser begins the navigation, does not object, and finds nobody to hand it to.
  const there = await world(t, "com.example.app:/callback");
  const { end, left, complaints } = await clickAllow(there);
  assert.deepEqual([end, left.length, complaints], ["handed on", 1, []]);
  assert.ok(isAnswer(left[0], there.uri), left[0]);
});

test("with form-action 'self' a click on Allow would not open the app's own scheme", async (t) => {
  const there = await world(t, "com.example.app:/callback");
  await withFormActionSelf(there.page);
  assert.equal((await clickAllow(there)).end, "blocked");
});

test("an https callback that redirects on to a scheme which is not registered is blocked, as the README says", async (t) => {
  const leadOn = (response) => response.writeHead(302, { location: "other://x" }).end();
  const { port, reached } = await callback(t, { tls: true, answer: leadOn });
  const there = await world(t, `https://app.example:${port}/callback`);
  assert.equal((await clickAllow(there)).end, "blocked");
  assert.equal(reached.length, 1, "the app has its code all the same");
});

test("who allowed an app before is led to it by signing in", async (t) => {
  // C-AUT-06, C-RC-14: the sign-in page's policy is held against that redirect
  const { port, reached } = await callback(t, { tls: true });
  const uri = `https://app.example:${port}/callback`;
  const server = await Server.start(t);
  const app = await server.register("App", uri, "read");
  await server.grant(app, "read");
  const { page, complaints } = await person(t, browser);
  await page.goto(server.authorize(app, uri, "read", { force_login: "" }));
  await signIn(page);
  assert.ok(page.url().startsWith(`${uri}?code=`), page.url());
  assert.deepEqual([reached.length, complaints], [1, []]);
});

test("an app that opened us in a window of its own is still known to it afterwards", async (t) => {
  // C-RC-15
  const { port } = await callback(t);
  const there = await world(t, `http://127.0.0.1:${port}/callback`);
  await there.page.goto(there.uri);
  const opened = there.page.waitForEvent("popup");
  await there.page.evaluate((url) => void open(url), there.server.authorize(there.app, there.uri, "read"));
  const popup = await opened;
  await allow(popup).click();
  await popup.waitForURL(`${there.uri}?code=*`);
  assert.equal(await popup.evaluate(() => opener.location.pathname), "/callback");
});
