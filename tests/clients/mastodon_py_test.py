"""Mastodon.py, 1.8 and 2: its own calls, from the registration to the revocation."""

import os
import unittest
from importlib.metadata import version

import mastodon
from mastodon import Mastodon
from person import Person

URL = os.environ["HALLPASS_URL"]
SCOPES = ["read", "write", "follow"]
CALLBACK = "https://app.example/callback"
# 2.x looks at the addresses that the server gives it, and takes http only where it is told to.
LOOKS_AT_ADDRESSES = not version("Mastodon.py").startswith("1.")
HTTP = {"allow_http": True} if LOOKS_AT_ADDRESSES else {}


def app(**more):
    client_id, client_secret = Mastodon.create_app("Mastodon.py", api_base_url=URL, scopes=SCOPES, **more)
    return Mastodon(client_id=client_id, client_secret=client_secret, api_base_url=URL)


class MastodonPy(unittest.TestCase):
    def is_alice_until_revoked(self, api):
        self.assertEqual(api.account_verify_credentials().username, "alice")
        self.assertEqual(api.app_verify_credentials().name, "Mastodon.py")
        token = api.access_token
        api.revoke_access_token(**HTTP)
        stale = Mastodon(access_token=token, api_base_url=URL)
        with self.assertRaisesRegex(mastodon.MastodonUnauthorizedError, "The access token was revoked"):
            stale.account_verify_credentials()

    def test_it_logs_in_with_a_code_shown_on_screen(self):
        api = app()
        code = Person(URL).code_on_screen(api.auth_request_url(scopes=SCOPES, **HTTP))
        api.log_in(code=code, scopes=SCOPES, **HTTP)
        self.is_alice_until_revoked(api)

    def test_it_logs_in_with_a_code_sent_to_its_callback(self):
        api = app(redirect_uris=CALLBACK, website="https://app.example")
        url = api.auth_request_url(redirect_uris=CALLBACK, scopes=SCOPES, state="a b+c/ä", **HTTP)
        address, answer = Person(URL).sent_to(url)
        self.assertEqual((address, answer["state"]), (CALLBACK, "a b+c/ä"))
        api.log_in(code=answer["code"], redirect_uri=CALLBACK, scopes=SCOPES, **HTTP)
        self.is_alice_until_revoked(api)

    def test_it_logs_in_with_a_password(self):
        api = app()
        api.log_in("alice@example.org", "alice", scopes=SCOPES, **HTTP)
        self.is_alice_until_revoked(api)

    def test_it_says_so_when_the_password_is_wrong(self):
        api = app()
        with self.assertRaisesRegex(mastodon.MastodonIllegalArgumentError, "Invalid user name, password"):
            api.log_in("alice@example.org", "wrong", scopes=SCOPES, **HTTP)

    def test_it_says_so_when_a_code_was_used_already(self):
        api = app()
        code = Person(URL).code_on_screen(api.auth_request_url(scopes=SCOPES, **HTTP))
        api.log_in(code=code, scopes=SCOPES, **HTTP)
        with self.assertRaisesRegex(mastodon.MastodonIllegalArgumentError, "Invalid access token"):
            api.log_in(code=code, scopes=SCOPES, **HTTP)

    def test_it_reads_the_instance(self):
        api = app()
        self.assertEqual(api.instance_v1().uri if LOOKS_AT_ADDRESSES else api.instance().uri, "127.0.0.1")
        self.assertTrue(api.verify_minimum_version("4.3.0"))


if __name__ == "__main__":
    unittest.main()
