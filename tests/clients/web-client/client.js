// A Mastodon client of one page: it registers itself, sends the person to the server, redeems the code with PKCE, says who is
// there, and revokes its token. All that it says to the server, masto says.

import { createOAuthAPIClient, createRestAPIClient } from "masto";

const SCOPES = "read write";
const redirectUri = location.origin + location.pathname;
const say = (text) => (document.querySelector("#said").textContent = text);
const base64url = (bytes) => btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const random = () => base64url(crypto.getRandomValues(new Uint8Array(32)));

document.querySelector("#log-in").addEventListener("submit", async (event) => {
  event.preventDefault();
  const url = event.target.elements.server.value;
  const app = { clientName: "A web client on masto", redirectUris: redirectUri, scopes: SCOPES, website: location.origin };
  const { clientId, clientSecret } = await createRestAPIClient({ url }).v1.apps.create(app);
  const [state, codeVerifier] = [random(), random()];
  sessionStorage.setItem("login", JSON.stringify({ url, clientId, clientSecret, state, codeVerifier }));
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(codeVerifier));
  const asked = {
    response_type: "code",
    client_id: clientId,
    redirect_uri: redirectUri,
    scope: SCOPES,
    state,
    code_challenge: base64url(new Uint8Array(hash)),
    code_challenge_method: "S256",
  };
  location.assign(`${url}/oauth/authorize?${new URLSearchParams(asked)}`);
});

const answer = new URLSearchParams(location.search);
if (answer.has("error")) say(`Not logged in: ${answer.get("error_description")}`);
if (answer.has("code")) {
  const { url, clientId, clientSecret, state, codeVerifier } = JSON.parse(sessionStorage.getItem("login"));
  if (answer.get("state") !== state) throw new Error("this answer is to another question");
  const proof = { grantType: "authorization_code", code: answer.get("code"), codeVerifier };
  const { accessToken } = await createOAuthAPIClient({ url }).token.create({ ...proof, clientId, clientSecret, redirectUri });
  const api = createRestAPIClient({ url, accessToken });
  say(`Logged in as ${(await api.v1.accounts.verifyCredentials()).username}`);
  const logOut = document.querySelector("#log-out");
  logOut.hidden = false;
  logOut.addEventListener("click", async () => {
    await createOAuthAPIClient({ url }).revoke({ clientId, clientSecret, token: accessToken });
    const stale = await api.v1.accounts.verifyCredentials().catch((error) => error);
    say(`Logged out: ${stale.message}`);
  });
}
