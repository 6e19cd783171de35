// masto, 8 and 5: their own calls, from the registration to the revocation. masto 5 has no call of its own to revoke.

import assert from "node:assert/strict";
import { test } from "node:test";

import { createOAuthAPIClient, createRestAPIClient } from "masto";
import { createClient, login } from "masto-5";

import { Person } from "./person.js";

const URL_OF_SERVER = process.env.HALLPASS_URL;
const OUT_OF_BAND = "urn:ietf:wg:oauth:2.0:oob";
const CALLBACK = "https://app.example/callback";
const SCOPES = "read write follow";

// A client of either version: what both do, by the calls each has for it.
const VERSIONS = {
  "masto 8": {
    register: (app) => createRestAPIClient({ url: URL_OF_SERVER }).v1.apps.create(app),
    token: (params) => createOAuthAPIClient({ url: URL_OF_SERVER }).token.create(params),
    account: (accessToken) => createRestAPIClient({ url: URL_OF_SERVER, accessToken }).v1.accounts.verifyCredentials(),
    app: (accessToken) => createRestAPIClient({ url: URL_OF_SERVER, accessToken }).v1.apps.verifyCredentials(),
    instance: () => createRestAPIClient({ url: URL_OF_SERVER }).v2.instance.fetch(),
    revoke: (params) => createOAuthAPIClient({ url: URL_OF_SERVER }).revoke(params),
  },
  "masto 5": {
    register: (app) => createClient({ url: URL_OF_SERVER }).v1.apps.create(app),
    token: (params) => createClient({ url: URL_OF_SERVER }).oauth.createToken(params),
    account: async (accessToken) => (await login({ url: URL_OF_SERVER, accessToken })).v1.accounts.verifyCredentials(),
    app: async (accessToken) => (await login({ url: URL_OF_SERVER, accessToken })).v1.apps.verifyCredentials(),
    instance: () => createClient({ url: URL_OF_SERVER }).v2.instance.fetch(),
    revoke: (params) => createClient({ url: URL_OF_SERVER }).http.post("/oauth/revoke", params),
  },
};

for (const [name, masto] of Object.entries(VERSIONS)) {
  const app = (redirectUris) => masto.register({ clientName: name, redirectUris, scopes: SCOPES });

  async function isAliceUntilRevoked({ clientId, clientSecret }, token) {
    assert.equal(token.tokenType, "Bearer");
    assert.equal(token.scope, SCOPES);
    assert.equal((await masto.account(token.accessToken)).username, "alice");
    assert.equal((await masto.app(token.accessToken)).name, name);
    await masto.revoke({ clientId, clientSecret, token: token.accessToken });
    await assert.rejects(masto.account(token.accessToken), /The access token was revoked/);
  }

  test(`${name} logs in with a code shown on screen`, async () => {
    const { clientId, clientSecret } = await app(OUT_OF_BAND);
    const code = await new Person(URL_OF_SERVER).codeOnScreen(authorize(clientId, OUT_OF_BAND));
    const known = { clientId, clientSecret, redirectUri: OUT_OF_BAND, scope: SCOPES };
    const token = await masto.token({ grantType: "authorization_code", code, ...known });
    await isAliceUntilRevoked({ clientId, clientSecret }, token);
  });

  test(`${name} logs in with a code sent to its callback`, async () => {
    const { clientId, clientSecret } = await app(CALLBACK);
    const back = await new Person(URL_OF_SERVER).sentTo(authorize(clientId, CALLBACK, { state: "a b+c/ä" }));
    assert.equal(back.origin + back.pathname, CALLBACK);
    assert.equal(back.searchParams.get("state"), "a b+c/ä");
    const known = { clientId, clientSecret, redirectUri: CALLBACK, scope: SCOPES };
    const token = await masto.token({ grantType: "authorization_code", code: back.searchParams.get("code"), ...known });
    await isAliceUntilRevoked({ clientId, clientSecret }, token);
  });

  test(`${name} logs in with a password`, async () => {
    const { clientId, clientSecret } = await app(OUT_OF_BAND);
    const person = { username: "alice@example.org", password: "alice" };
    const token = await masto.token({ grantType: "password", clientId, clientSecret, scope: SCOPES, ...person });
    await isAliceUntilRevoked({ clientId, clientSecret }, token);
  });

  test(`${name} reads the error and its description when the code is wrong`, async () => {
    const { clientId, clientSecret } = await app(OUT_OF_BAND);
    const params = { grantType: "authorization_code", code: "wrong", clientId, clientSecret, redirectUri: OUT_OF_BAND };
    await assert.rejects(masto.token(params), (error) => {
      assert.equal(error.statusCode, 400);
      return /invalid_grant|authorization grant is invalid/.test(`${error.message} ${error.description}`);
    });
  });

  test(`${name} reads the instance`, async () => {
    const { domain, version } = await masto.instance();
    assert.equal(domain, "127.0.0.1");
    assert.match(version, /^4\./);
  });
}

function authorize(client_id, redirect_uri, more = {}) {
  const asked = { response_type: "code", client_id, redirect_uri, scope: SCOPES, ...more };
  return `${URL_OF_SERVER}/oauth/authorize?${new URLSearchParams(asked)}`;
}
