// Debian's Chromium, and what is held against every page in it.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

import { chromium } from "playwright-core";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const PHONE = { width: 390, height: 760 };

// Names under `.example` are this machine's, so that apps have hosts of their own.
export async function launch() {
  const quiet = ["--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
  const args = ["--no-sandbox", "--host-resolver-rules=MAP *.example 127.0.0.1", ...quiet];
  return chromium.launch({ executablePath: "/usr/bin/chromium", args });
}

// A person's browser: a fresh profile with one page, and all that the browser complained of.
export async function person(t, browser, { language = "en", ...options } = {}) {
  const context = await browser.newContext({
    viewport: PHONE,
    ignoreHTTPSErrors: true,
    extraHTTPHeaders: { "accept-language": language },
    ...options,
  });
  t.after(() => context.close());
  context.setDefaultTimeout(10_000);
  const page = await context.newPage();
  const complaints = [];
  const pages = new Set();
  page.on("request", (request) => request.isNavigationRequest() && pages.add(request.url()));
  page.on("console", (message) => {
    const isStatus = /^Failed to load resource: the server responded with a status of/.test(message.text());
    const isMeant = isStatus && pages.has(message.location().url); // an error page has such a status, and is no complaint
    if (["error", "warning"].includes(message.type()) && !isMeant) complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  return { page, context, complaints };
}

// Types a name and a password, and sends them.
export async function signIn(page, name = "alice", password = "alice") {
  await page.fill("#email", name);
  await page.fill("#password", password);
  await submit(page, page.locator("#password"), "Enter");
}

// Clicks, or presses a key on, what leads to another page, and waits for it.
export async function submit(page, locator, key) {
  await Promise.all([page.waitForEvent("load"), key ? locator.press(key) : locator.click()]);
}

export const allow = (page) => page.locator(".choice form").nth(0).locator("button");
export const deny = (page) => page.locator(".choice form").nth(1).locator("button");

// What axe finds wrong on the page. It measures no contrast before a gradient; ours only punch the notches of the
// paper's edge, so they are taken away first, and a text of unknown contrast counts as wrong.
export async function violations(page) {
  if (!(await page.evaluate(() => "axe" in globalThis))) await page.evaluate(AXE);
  return page.evaluate(async () => {
    for (const paper of document.querySelectorAll(".pass > *")) paper.style.backgroundImage = "none";
    const runOnly = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
    const { violations, incomplete } = await globalThis.axe.run(document, { runOnly });
    const unknown = incomplete.filter(({ id }) => id === "color-contrast");
    return [...violations, ...unknown].flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html}`));
  });
}

// By how many pixels the page is wider than the window.
export async function sideways(page) {
  return page.evaluate(() => document.scrollingElement.scrollWidth - document.scrollingElement.clientWidth);
}

// What can be pressed and is lower than a fingertip. Of a box to tick its words can be pressed as well. A link within a sentence is as high as its line (WCAG 2.2 §2.5.8).
export async function lowTargets(page) {
  return page.evaluate(() => {
    const isAlone = (link) => link.parentElement.textContent.trim() === link.textContent.trim();
    const isInSentence = (element) => element.matches("a:not(.button)") && !isAlone(element);
    const height = (element) => (element.closest("label") ?? element).getBoundingClientRect().height;
    const targets = [...document.querySelectorAll("a, button, input, select, textarea, summary")];
    return targets
      .filter((element) => element.getClientRects().length > 0 && !isInSentence(element))
      .filter((element) => height(element) < 44)
      .map((element) => `${Math.round(height(element))} px: ${element.outerHTML}`);
  });
}
