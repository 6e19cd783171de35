// The real binary, and the apps that send people to it.

import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

export const PASSWORD = "correct horse battery staple"; // of alice where `dev` does not know her
export const OUT_OF_BAND = "urn:ietf:wg:oauth:2.0:oob";

// A `hallpass dev` of the test's own, on a free port, and gone after it.
export class Server {
  static async start(t) {
    const binary = process.env.HALLPASS;
    if (!binary) throw new Error("HALLPASS is the path of the binary to test; tests/browser/run sets it");
    return Server.spawned(t, binary, ["dev", "--listen", "127.0.0.1:0"]);
  }

  // A `hallpass serve` with alice, on a file that can be got at.
  static async startOnFile(t) {
    const folder = mkdtempSync(join(tmpdir(), "hallpass-browser-"));
    t.after(() => rmSync(folder, { recursive: true }));
    const db = join(folder, "hallpass.db");
    const binary = process.env.HALLPASS;
    const alice = ["user", "add", "alice", "--email", "alice@example.org", "--password-stdin", "--db", db];
    execFileSync(binary, alice, { input: PASSWORD, stdio: "pipe" });
    return Object.assign(await Server.spawned(t, binary, ["serve", "--db", db, "--listen", "127.0.0.1:0"]), { db });
  }

  static async spawned(t, binary, args) {
    const child = spawn(binary, args, { stdio: ["ignore", "pipe", "ignore"] });
    t.after(async () => {
      if (child.exitCode !== null) return;
      child.kill("SIGTERM");
      await once(child, "exit");
    });
    for await (const line of createInterface({ input: child.stdout })) {
      const url = line.match(/^hallpass listening on (.*)$/)?.[1];
      if (url) {
        child.stdout.resume();
        return new Server(url);
      }
    }
    throw new Error(`${binary} ended before it listened`);
  }

  constructor(url) {
    this.url = url;
  }

  // Python is there wherever the other tests run, and speaks SQLite.
  async sql(statements) {
    const script = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).executescript(sys.argv[2])";
    execFileSync("python3", ["-c", script, this.db, statements], { stdio: "pipe" });
  }

  // Another program holds the file until it is told to let go.
  async lock() {
    const script =
      "import sqlite3, sys; db = sqlite3.connect(sys.argv[1], isolation_level=None); db.execute('BEGIN EXCLUSIVE'); print('held', flush=True); input()";
    const holder = spawn("python3", ["-c", script, this.db], { stdio: ["pipe", "pipe", "inherit"] });
    await once(holder.stdout, "data");
    return async () => {
      holder.stdin.end("\n");
      await once(holder, "exit");
    };
  }

  async post(path, fields) {
    const answer = await fetch(this.url + path, { method: "POST", body: new URLSearchParams(fields) });
    return { status: answer.status, json: await answer.json() };
  }

  async register(client_name, redirect_uris, scopes, website) {
    const { json } = await this.post("/api/v1/apps", { client_name, redirect_uris, scopes, ...(website && { website }) });
    return json;
  }

  // A token of alice's for this app, as if she had allowed it before.
  async grant(app, scope) {
    const { client_id, client_secret } = app;
    const person = { username: "alice", password: "alice" };
    return this.post("/oauth/token", { grant_type: "password", ...person, client_id, client_secret, scope });
  }

  async redeem(app, code, redirect_uri) {
    const { client_id, client_secret } = app;
    return this.post("/oauth/token", { grant_type: "authorization_code", code, redirect_uri, client_id, client_secret });
  }

  // Where an app sends the person. `force_login`: always asked (C-AUT-07).
  authorize(app, redirect_uri, scope, more = {}) {
    const asked = { response_type: "code", client_id: app.client_id, redirect_uri, scope, force_login: "1", ...more };
    return `${this.url}/oauth/authorize?${new URLSearchParams(asked)}`;
  }

  // `iss` of RFC 9207, as the metadata tells it.
  async issuer() {
    return (await (await fetch(`${this.url}/.well-known/oauth-authorization-server`)).json()).issuer;
  }
}

// An app's web server: it keeps what reached it, and says so. `answer` may do otherwise.
export async function callback(t, { tls, answer } = {}) {
  const reached = [];
  const serve = async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    const url = new URL(request.url, "http://app");
    if (url.pathname !== "/callback") return void response.writeHead(204).end();
    const params = Object.fromEntries(new URLSearchParams(request.method === "POST" ? body : url.search));
    reached.push({ method: request.method, params });
    if (answer) return void answer(response);
    // An icon of its own: Chromium would ask for the server's, and when it leaves in a hurry ask in our page's name.
    const page = '<!doctype html><title>app</title><link rel="icon" href="data:,"><h1>Back in the app</h1>';
    response.writeHead(200, { "content-type": "text/html" }).end(page);
  };
  const server = tls ? https.createServer(certificate(), serve) : http.createServer(serve);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { port: server.address().port, reached };
}

// One that nobody vouches for; the tests' browser takes it.
function certificate() {
  const folder = mkdtempSync(join(tmpdir(), "hallpass-browser-"));
  try {
    const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
    const made = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
    execFileSync("openssl", [...made, "-subj", "/CN=app.example", "-keyout", key, "-out", cert], { stdio: "pipe" });
    return { key: readFileSync(key), cert: readFileSync(cert) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
