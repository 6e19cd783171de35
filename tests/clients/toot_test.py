"""toot, driven as a person does, by its command line; every test has a home of its own for what toot remembers."""

import os
import subprocess
import sys
import tempfile
import unittest

from person import Person

URL = os.environ["HALLPASS_URL"]


class Toot(unittest.TestCase):
    def setUp(self):
        home = tempfile.TemporaryDirectory()
        self.addCleanup(home.cleanup)
        # No browser is opened, and no proxy of this machine asked.
        self.env = {**os.environ, "HOME": home.name, "XDG_CONFIG_HOME": home.name, "BROWSER": "true", "NO_COLOR": "1"}

    def toot(self, *arguments, status=0):
        program = os.path.join(os.path.dirname(sys.executable), "toot")
        done = subprocess.run([program, *arguments], env=self.env, capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def test_it_logs_in_with_a_password(self):
        self.toot("login_cli", "--instance", URL, "--email", "alice@example.org", "--password", "alice")
        self.is_alice()

    def test_it_logs_in_with_a_code_pasted_into_it(self):
        program = os.path.join(os.path.dirname(sys.executable), "toot")
        with subprocess.Popen(
            [program, "login", "--instance", URL],
            env=self.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        ) as login:
            url = next(line.strip() for line in login.stdout if line.startswith(URL))
            output, _ = login.communicate(f"n\n{Person(URL).code_on_screen(url)}\n", timeout=60)
        self.assertEqual(login.returncode, 0, output)
        self.assertIn("Successfully logged in", output)
        self.is_alice()

    def test_it_says_so_when_the_password_is_wrong(self):
        said = self.toot("login_cli", "--instance", URL, "--email", "alice@example.org", "--password", "wrong", status=1)
        self.assertIn("Login failed", said)

    def is_alice(self):
        self.assertIn("alice@127.0.0.1 ACTIVE", self.toot("auth"))
        self.assertIn("@alice", self.toot("whoami"))
        self.assertIn("hallpass dev", self.toot("instance"))
        self.toot("timelines", "home")
        self.toot("notifications")
        self.toot("logout", "alice@127.0.0.1") # forgets the token; toot has no call to revoke it


if __name__ == "__main__":
    unittest.main()
