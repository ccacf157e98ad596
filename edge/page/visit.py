"""`Visit`: one request with who makes it, in which language, and what it is answered with."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from werkzeug.wrappers import Request, Response

from edge.page.pins import Role
from edge.page.server_limits import LARGEST_BODY_BYTES
from edge.page.words import LANGUAGES, Words, words

VISITOR_COOKIE = "nevgate"
LANGUAGE_COOKIE = "language"
THEME_COOKIE = "theme"
SAID_COOKIE = "said"
THEMES = ("dark", "light")
_YEAR_S = 365 * 86_400
_SAID_S = 15
_PATH = re.compile(r"/(?:[a-z0-9_-]+(?:/[a-z0-9_-]+)*)?")


class PageRequest(Request):
    """A request with bounds on what a form may be."""

    max_content_length = LARGEST_BODY_BYTES
    max_form_memory_size = LARGEST_BODY_BYTES
    max_form_parts = 16


@dataclass
class Visit:
    """One request.

    Attributes:
        request: as it came.
        cookie: of the visitor.
        form_token: that a form of this visitor carries.
        roles: that the visitor has.
        words: of the visitor's language.
        set_cookies: what the answer sets, by name; empty texts delete.
    """

    request: PageRequest
    cookie: str
    form_token: str
    roles: frozenset[Role]
    words: Words = field(init=False)
    set_cookies: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.words = words(_language(self.request))

    @property
    def theme(self) -> str:
        """Dark, light, or empty for what the browser prefers."""
        chosen = self.request.cookies.get(THEME_COOKIE, "")
        return chosen if chosen in THEMES else ""

    @property
    def refreshes(self) -> bool:
        """Whether the page asks by itself, without anybody doing anything."""
        return _refreshes(self.request)

    def said(self) -> str:
        """What was just done, once."""
        told = self.request.cookies.get(SAID_COOKIE, "")
        if told and not self.refreshes:
            self.set_cookies[SAID_COOKIE] = ""
        return self.words.known(f"said.{told}", "") if told and not self.refreshes else ""

    def field(self, name: str) -> str:
        """A field of the form; empty where it is not there."""
        return self.request.form.get(name, "")

    def next_path(self) -> str:
        """Where to go after a PIN: a page of this server, never elsewhere."""
        wanted = self.request.values.get("next", "/")
        return wanted if _PATH.fullmatch(wanted) else "/"

    def finish(self, response: Response, headers: Mapping[str, str]) -> Response:
        """Put cookies and headers on an answer."""
        for name, value in headers.items():
            response.headers[name] = value
        response.headers["Vary"] = "Cookie, Accept-Language"
        cookies = dict(self.set_cookies)
        if self.request.cookies.get(VISITOR_COOKIE) != self.cookie:
            cookies[VISITOR_COOKIE] = self.cookie
        ages = {LANGUAGE_COOKIE: _YEAR_S, THEME_COOKIE: _YEAR_S, SAID_COOKIE: _SAID_S, VISITOR_COOKIE: None}
        for name, value in cookies.items():
            age = ages[name] if value else 0
            response.set_cookie(name, value, max_age=age, httponly=True, samesite="Strict", path="/")
        return response


def _refreshes(request: Request) -> bool:
    return request.headers.get("X-Refresh") == "1"


def _language(request: Request) -> str:
    chosen = request.cookies.get(LANGUAGE_COOKIE, "")
    if chosen in LANGUAGES:
        return chosen
    return request.accept_languages.best_match([*LANGUAGES]) or next(iter(LANGUAGES))
