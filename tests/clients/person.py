"""The person in the browser: signs in, allows, and says where the browser was sent, by the forms of the pages alone."""

import http.cookiejar
import urllib.parse
import urllib.request
from html.parser import HTMLParser


class Form:
    def __init__(self, attributes):
        self.action = attributes.get("action", "")
        self.fields = {}

    def has(self, name):
        return name in self.fields


class Page(HTMLParser):
    """The forms of a page, in their order, and the text of its last `code`."""

    def __init__(self, answer):
        super().__init__()
        self.url = answer.url
        self.forms = []
        self.code = ""
        self._in_code = False
        self.feed(answer.read().decode())

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "form":
            self.forms.append(Form(attributes))
        elif tag == "input" and "name" in attributes:
            self.forms[-1].fields[attributes["name"]] = attributes.get("value", "")
        elif tag == "code":
            self._in_code, self.code = True, ""

    def handle_endtag(self, tag):
        if tag == "code":
            self._in_code = False

    def handle_data(self, data):
        if self._in_code:
            self.code += data


class LeftTheServer(Exception):
    """The browser was sent to the app."""

    def __init__(self, url):
        super().__init__(url)
        self.url = url


class OnTheServer(urllib.request.HTTPRedirectHandler):
    def __init__(self, origin):
        self.origin = origin

    def redirect_request(self, request, answer, status, reason, headers, url):
        if not url.startswith(self.origin + "/"):
            raise LeftTheServer(url)
        return super().redirect_request(request, answer, status, reason, headers, url)


class Person:
    def __init__(self, server, name="alice", password="alice"):
        self.server, self.name, self.password = server, name, password
        cookies = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self.browser = urllib.request.build_opener(cookies, OnTheServer(server))

    def code_on_screen(self, authorization_url):
        """Allows, and reads the code that is shown to be copied (out of band)."""
        return self._allow(authorization_url).code

    def sent_to(self, authorization_url):
        """Allows, and tells the parameters of the address to which the browser is sent, and that address without them."""
        try:
            page = self._allow(authorization_url)
        except LeftTheServer as left:
            address, _, query = left.url.partition("?")
            return address, dict(urllib.parse.parse_qsl(query))
        raise AssertionError(f"the browser stayed at {page.url}")

    def _allow(self, authorization_url):
        page = Page(self.browser.open(authorization_url))
        sign_in = next((form for form in page.forms if form.has("user[password]")), None)
        if sign_in:
            page = self._submit(page, sign_in, {"user[email]": self.name, "user[password]": self.password})
        allow = next(form for form in page.forms if form.action == "/oauth/authorize")
        return self._submit(page, allow, {})

    def _submit(self, page, form, typed):
        body = urllib.parse.urlencode({**form.fields, **typed}).encode()
        return Page(self.browser.open(urllib.parse.urljoin(page.url, form.action), body))
