// A login in real Chromium, by a web client on masto: another origin than the server's, so CORS, the pages' policies and the
// redirects are what a browser makes of them.

import assert from "node:assert/strict";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import http from "node:http";
import { extname } from "node:path";
import { after, before, test } from "node:test";

import { chromium } from "playwright-core";

const KINDS = { ".html": "text/html", ".js": "text/javascript", ".mjs": "text/javascript" };
let browser;
let client; // where the web client is served
before(async () => {
  const args = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"];
  browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args });
  client = http.createServer(async (request, response) => {
    const { pathname } = new URL(request.url, "http://client");
    const file = pathname === "/" ? "/web-client/index.html" : pathname;
    const bytes = await readFile(new URL(`.${file}`, import.meta.url)).catch(() => null);
    response.writeHead(bytes ? 200 : 404, { "content-type": KINDS[extname(file)] ?? "text/plain" }).end(bytes);
  });
  client.listen(0, "127.0.0.1");
  await once(client, "listening");
});
after(async () => {
  await browser.close();
  client.close();
});

// A person's browser with the client in it, on its way to the server.
async function atTheServer(t) {
  const context = await browser.newContext();
  t.after(() => context.close());
  context.setDefaultTimeout(30_000); // Chromium starts slowly on a busy machine
  const page = await context.newPage();
  const complaints = [];
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  await page.goto(`http://127.0.0.1:${client.address().port}/`);
  await page.fill("[name=server]", process.env.HALLPASS_URL);
  await page.click("#log-in button");
  await page.fill("#email", "alice@example.org");
  await page.fill("#password", "alice");
  await page.press("#password", "Enter");
  await page.waitForSelector(".choice");
  return { page, complaints };
}

async function says(page, text) {
  await page.waitForFunction((text) => document.querySelector("#said")?.textContent.startsWith(text), text);
}

test("a web client on masto logs a person in and out", async (t) => {
  const { page, complaints } = await atTheServer(t);
  await page.click(".choice form:nth-child(1) button");
  await says(page, "Logged in as alice");
  assert.deepEqual(complaints, []);
  await page.click("#log-out");
  await says(page, "Logged out: The access token was revoked");
});

test("a web client on masto hears that the person said no", async (t) => {
  const { page, complaints } = await atTheServer(t);
  await page.click(".choice form:nth-child(2) button");
  await says(page, "Not logged in: The resource owner or authorization server denied the request.");
  assert.deepEqual(complaints, []);
});
