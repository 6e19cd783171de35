// Every page in every state, held to the same rules in several looks.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { codeOf } from "./support/authenticator.js";
import { allow, launch, lowTargets, person, sideways, signIn, submit, violations } from "./support/browser.js";
import { OUT_OF_BAND, PASSWORD, Server, callback } from "./support/server.js";

const WEB = "https://elk.example/callback";
const NATIVE = "com.example.toot:/callback";
const READ = "read:accounts read:statuses read:notifications read:lists";
const GRANULAR = `${READ} write:statuses write:media write:filters push profile`;
const LONG = `Moderator-${"x".repeat(50)}`; // an app may call itself anything
const PHONE = { width: 390, height: 760 };
const SMALL = { width: 320, height: 640 }; // also what is left of a desk at 400 %
const DESK = { width: 1280, height: 800 };

const WALKS = {
  "in English, on a phone and on a desk": {
    language: "en",
    looks: {
      light: { viewport: PHONE, colorScheme: "light" },
      dark: { viewport: PHONE, colorScheme: "dark" },
      "a desk, with more contrast": { viewport: DESK, colorScheme: "light", contrast: "more" },
    },
  },
  "in Arabic, 320 pixels wide": {
    language: "ar",
    looks: { light: { viewport: SMALL, colorScheme: "light" }, dark: { viewport: SMALL, colorScheme: "dark" } },
  },
  "in German, 320 pixels wide": { language: "de", looks: { light: { viewport: SMALL, colorScheme: "light" } } },
};

let browser;
before(async () => (browser = await launch()));
after(() => browser.close());

for (const [walked, { language, looks }] of Object.entries(WALKS)) {
  describe(`every page ${walked}`, () => {
    let found;
    before(async () => (found = await walk(language, looks)));
    const none = (what) => {
      const told = found.filter((one) => one.what === what).map((one) => one.told);
      assert.equal(told.join("\n"), "");
    };

    test("has nothing that axe finds wrong", () => none("axe"));
    test("does not scroll sideways", () => none("sideways"));
    test("has nothing to press that is lower than 44 pixels", () => none("low"));
    test("is the page it should be", () => none("status"));
    test("gives the browser nothing to complain about", () => none("complaint"));
  });
}

// Goes through every page in every state, looks at each in all these ways, and tells what is wrong with which.
async function walk(language, looks) {
  const ends = [];
  const t = { after: (end) => ends.unshift(end) };
  try {
    const { page, context, complaints } = await person(t, browser, { language });
    await context.route(`${WEB}**`, (route) => route.fulfill({ contentType: "text/html", body: '<!doctype html><link rel="icon" href="data:,">' }));
    let answered;
    page.on("response", (response) => response.request().isNavigationRequest() && (answered = response.status()));

    const found = [];
    const check = async (state, status = 200) => {
      const add = (what, where, many) => found.push(...many.map((one) => ({ what, told: `${where}: ${one}` })));
      for (const [look, { viewport, colorScheme, contrast = "no-preference" }] of Object.entries(looks)) {
        await page.setViewportSize(viewport);
        await page.emulateMedia({ colorScheme, contrast });
        const where = `${state} (${look})`;
        const pixels = await sideways(page);
        add("sideways", where, pixels > 0 ? [`${pixels} px`] : []);
        add("low", where, await lowTargets(page));
        add("axe", where, await violations(page));
      }
      add("status", state, answered === status ? [] : [answered]);
      add("complaint", state, complaints.splice(0));
    };
    await visit(t, page, check);
    return found;
  } finally {
    for (const end of ends) await end();
  }
}

// Every page in every state, in an order in which each can be reached.
async function visit(t, page, check) {
  const server = await Server.start(t);
  const open = (path) => page.goto(new URL(path, server.url).href);
  const elk = await server.register("Elk", WEB, "read write follow push", "https://elk.example/about");
  const toot = await server.register("toot - a client", `${OUT_OF_BAND}\n${NATIVE}`, GRANULAR, "https://toot.example");
  const moderator = await server.register(LONG, WEB, "admin:read admin:write read write");

  await open("/");
  await check("home, signed out");
  await open("/auth/sign_in");
  await check("sign-in, for no app");
  await open(server.authorize(elk, WEB, "read write follow push"));
  await check("sign-in, for an app");
  await signIn(page, "alice", "wrong");
  await check("sign-in, failed", 422);
  await page.evaluate(() => (document.querySelector("input[name=authenticity_token]").value = "expired"));
  await signIn(page);
  await check("sign-in, the form had expired", 422);
  await signIn(page);
  await check("consent, broad");
  await page.click("summary");
  await check("consent, with the names of the scopes");
  await page.evaluate(() => (document.querySelector(".choice input[name=authenticity_token]").value = "expired"));
  await submit(page, allow(page));
  await check("error 422: the form had expired", 422);

  await open(server.authorize(toot, OUT_OF_BAND, GRANULAR));
  await check("consent, granular, the code is shown");
  await submit(page, allow(page));
  await check("code");
  await open("/oauth/authorized_applications");
  await check("apps, one");
  await server.grant(toot, "read:accounts");
  await server.grant(elk, "read write follow push");
  await open(server.authorize(toot, NATIVE, "read:accounts write:statuses push"));
  await check("consent, partly new, for an app of this device");
  await open(server.authorize(moderator, WEB, "admin:read admin:write read write"));
  await check("consent, for administration");

  await open("/oauth/authorized_applications");
  await check("apps");
  await page.click("summary");
  await check("apps, with the names of the scopes");
  await submit(page, page.locator(".app a.button").first());
  await check("revoke one?");
  await open("/oauth/authorized_applications/all");
  await check("revoke all?");
  await submit(page, page.locator(".choice button"));
  await check("apps, none");

  await open("/");
  await check("home, signed in");
  await page.click("summary");
  await check("home, with a word for developers");
  await open("/@alice");
  await check("profile");
  await open("/account");
  await check("account");
  await open("/account/password");
  await check("change the password");
  await page.fill("#current", "wrong");
  await page.fill("#new", "a new password");
  await page.fill("#again", "a new password");
  await submit(page, page.locator("main form button"));
  await check("change the password, refused", 422);
  await elsewhere(page, server);
  await open("/account");
  await check("account, with another browser");
  await open("/account/password");
  await page.fill("#current", "alice");
  await page.fill("#new", "alice");
  await page.fill("#again", "alice");
  await submit(page, page.locator("main form button"));
  await check("account, the password is changed");

  await open("/account/tokens");
  await check("personal tokens, none");
  await open("/account/tokens/new");
  await check("make a personal token");
  await page.fill("#name", "weather bot");
  await page.check("input[name='write:statuses']");
  await page.selectOption("#days", "90");
  await page.fill("#password", "wrong");
  await submit(page, page.locator("main form button"));
  await check("make a personal token, refused", 422);
  await page.fill("#password", "alice");
  await submit(page, page.locator("main form button"));
  await check("a personal token, shown once");
  await open("/account/tokens");
  await check("personal tokens");
  await submit(page, page.locator(".app a.button"));
  await check("revoke a personal token?");
  await submit(page, page.locator(".choice button"));
  assert.equal(new URL(page.url()).pathname, "/account/tokens");

  await open("/nowhere");
  await check("error 404", 404);
  await open("/account/sessions/end");
  await check("error 405", 405);
  await open("/oauth/authorize?client_id=nobody");
  await check("error 401", 401);
  await open(server.authorize(elk, "https://elk.example/elsewhere", "read"));
  await check("error 400: redirect URI", 400);
  await open(server.authorize(elk, WEB, "admin:read"));
  await check("error 400: scope", 400);
  await open(server.authorize(elk, WEB, "read", { code_challenge: "short", code_challenge_method: "S256" }));
  await check("error 400: challenge", 400);
  await submitFromElsewhere(t, page, `${server.url}/auth/sign_out`);
  await check("error 403", 403);

  await open("/account/second_factor");
  await check("set up a second factor");
  const secret = await page.inputValue("input[name=secret]");
  await page.fill("#code", "000000");
  await page.fill("#password", "wrong");
  await submit(page, page.locator("main form button"));
  await check("set up a second factor, refused", 422);
  await page.fill("#code", codeOf(secret));
  await page.fill("#password", "alice");
  await submit(page, page.locator("main form button"));
  const recovery = await page.locator("ol.code li").first().textContent();
  await check("recovery codes");
  await open("/account");
  await check("account, with a second factor");
  await open("/account/second_factor");
  await check("end the second factor");
  await open("/account/recovery_codes");
  await check("new recovery codes");

  await open("/");
  await submit(page, page.locator("main form button"));
  await open(server.authorize(elk, WEB, "read"));
  await signIn(page);
  await check("second step");
  await page.click("summary");
  await check("second step, by recovery code");
  await page.fill("#code", "000000");
  await submit(page, page.locator("#code"), "Enter");
  await check("second step, failed", 422);
  await page.click("summary");
  await page.fill("#recovery", recovery);
  await submit(page, page.locator("#recovery"), "Enter");
  await check("a recovery code was used");

  const { client_id, client_secret } = elk;
  const wrong = { grant_type: "password", username: "nobody", password: "wrong", client_id, client_secret, scope: "read" };
  for (let tried = 0; tried < 25; tried++) await server.post("/oauth/token", wrong);
  await open("/");
  await submit(page, page.locator("main form button"));
  await open("/auth/sign_in");
  await signIn(page, "nobody", "wrong");
  await check("sign-in, throttled", 429);

  await open("/auth/sign_in");
  await signIn(page, "alice", "x".repeat(70_000));
  await check("error 413", 413);
  await withFaults(t, page, check);
}

// The errors that are the server's own: its file locked by another program, and then not what it was.
async function withFaults(t, page, check) {
  const server = await Server.startOnFile(t);
  await page.goto(`${server.url}/auth/sign_in`);
  const release = await server.lock();
  await signIn(page, "alice", PASSWORD);
  await check("error 503", 503);
  await release();
  await page.goto(`${server.url}/auth/sign_in`);
  await signIn(page, "alice", PASSWORD);
  await server.sql("ALTER TABLE sessions RENAME TO gone");
  await page.goto(`${server.url}/account`);
  await check("error 500", 500);
}

// Signs alice in in another browser.
async function elsewhere(page, server) {
  const context = await page.context().browser().newContext();
  const other = await context.newPage();
  await other.goto(`${server.url}/auth/sign_in`);
  await signIn(other);
  await context.close();
}

// A form of another site's page, sent here.
async function submitFromElsewhere(t, page, url) {
  const body = `<!doctype html><form method="post" action="${url}"><button>x</button></form>`;
  const answer = (response) => response.writeHead(200, { "content-type": "text/html" }).end(body);
  const { port } = await callback(t, { answer });
  await page.goto(`http://elsewhere.example:${port}/callback`);
  await submit(page, page.locator("button"));
}
