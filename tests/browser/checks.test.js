// What is held against every page is noticed on a bad one.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { launch, lowTargets, person, sideways, violations } from "./support/browser.js";

let browser;
before(async () => (browser = await launch()));
after(() => browser.close());

async function show(t, body, head = "") {
  const { page, complaints } = await person(t, browser);
  await page.setContent(`<!doctype html><html lang="en"><title>t</title>${head}<main><h1>t</h1>${body}</main></html>`);
  return { page, complaints };
}

test("a good page passes", async (t) => {
  const { page, complaints } = await show(t, "<p>See <a href='/x'>there</a>.</p>");
  assert.deepEqual([await sideways(page), await lowTargets(page), await violations(page), complaints], [0, [], [], []]);
});

test("a page that scrolls sideways is noticed", async (t) => {
  const { page } = await show(t, "<p style='width: 500px'>wide</p>");
  assert.ok((await sideways(page)) > 100);
});

test("a low button and a link that stands alone are noticed", async (t) => {
  const { page } = await show(t, "<p><button>low</button></p><p><a href='/x'>alone</a></p>");
  assert.equal((await lowTargets(page)).length, 2);
});

test("pale text is noticed, before a gradient too", async (t) => {
  for (const background of ["white", "linear-gradient(white, black)"]) {
    const { page } = await show(t, `<p style="color: #bbb; background: ${background}">pale</p>`);
    assert.match((await violations(page)).join(), /^color-contrast: /);
  }
});

test("what a policy forbids is noticed", async (t) => {
  const policy = "<meta http-equiv='content-security-policy' content=\"script-src 'none'\">";
  const { complaints } = await show(t, "<script>document.title = 'x'</script>", policy);
  assert.match(complaints.join(), /Content Security Policy/);
});
