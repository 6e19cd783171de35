// The person in the browser: signs in, allows, and says where the browser was sent, by the forms of the pages alone.

const ENTITIES = { amp: "&", lt: "<", gt: ">", quot: '"' };
const decoded = (text) =>
  text.replace(/&(?:#x([0-9a-f]+)|#(\d+)|(\w+));/gi, (_, hex, digits, name) =>
    name ? ENTITIES[name] : String.fromCodePoint(hex ? parseInt(hex, 16) : Number(digits)),
  );

// The forms of a page, in their order.
function formsOf(html) {
  return [...html.matchAll(/<form[^>]* action="([^"]*)"[^>]*>(.*?)<\/form>/gs)].map(([, action, inside]) => ({
    action: decoded(action),
    fields: Object.fromEntries(
      [...inside.matchAll(/<input[^>]* name="([^"]*)"[^>]*>/g)].map(([input, name]) => [
        decoded(name),
        decoded(input.match(/ value="([^"]*)"/)?.[1] ?? ""),
      ]),
    ),
  }));
}

export class Person {
  #cookies = new Map();

  constructor(server, name = "alice", password = "alice") {
    Object.assign(this, { server, name, password });
  }

  // Allows, and reads the code that is shown to be copied (out of band).
  async codeOnScreen(authorizationUrl) {
    const { html } = await this.#allow(authorizationUrl);
    return decoded(html.match(/<code>([^<]*)<\/code>/)[1]);
  }

  // Allows, and tells to which address the browser is sent.
  async sentTo(authorizationUrl) {
    const { url } = await this.#allow(authorizationUrl);
    return new URL(url);
  }

  async #allow(authorizationUrl) {
    let page = await this.#open(authorizationUrl);
    const signIn = formsOf(page.html).find(({ fields }) => "user[password]" in fields);
    if (signIn) page = await this.#submit(page, signIn, { "user[email]": this.name, "user[password]": this.password });
    const allow = formsOf(page.html).find(({ action }) => action === "/oauth/authorize");
    return this.#submit(page, allow, {});
  }

  #submit(page, form, typed) {
    const body = new URLSearchParams({ ...form.fields, ...typed });
    return this.#open(new URL(form.action, page.url).href, { method: "POST", body });
  }

  // Follows the server's redirects, and stops where the browser would leave it.
  async #open(url, options = {}) {
    const cookie = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const answer = await fetch(url, { ...options, headers: { cookie }, redirect: "manual" });
    for (const line of answer.headers.getSetCookie()) {
      const [, name, value] = line.match(/^([^=]*)=([^;]*)/);
      this.#cookies.set(name, value);
    }
    const location = answer.headers.get("location");
    if (!location) return { url, html: await answer.text() };
    const next = new URL(location, url).href;
    return next.startsWith(`${this.server}/`) ? this.#open(next) : { url: next, html: "" };
  }
}
