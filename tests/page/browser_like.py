"""Speaks plain HTTP with the page as a browser does, or as one that is up to no good."""

from __future__ import annotations

import http.client
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from edge.page.pins import Role
from tests.page.served import PINS, Served

FORM = "/use/cabin/recording"
"""A page that always has a form."""


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def place(self) -> str:
        return self.headers.get("Location", "")


class Visitor:
    """Keeps cookies and the token of the forms, as a browser would."""

    def __init__(self, served: Served) -> None:
        self.served = served
        self.cookies: dict[str, str] = {}
        self.token = ""

    def send(
        self,
        method: str,
        path: str,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        body = None if form is None else urlencode(form).encode()
        sent = dict(headers or {})
        if form is not None:
            sent.setdefault("Content-Type", "application/x-www-form-urlencoded")
        return self._exchange(method, path, body, sent)

    def send_body(self, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Post a body as it is."""
        return self._exchange("POST", path, body, headers)

    def _exchange(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.served.port, timeout=10)
        sent = {"Host": self.served.authority, **headers}
        if self.cookies and "Cookie" not in sent:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        connection.request(method, path, body, {name: value for name, value in sent.items() if value})
        response = connection.getresponse()
        text = response.read().decode("utf-8", "replace")
        for cookie in response.headers.get_all("Set-Cookie") or []:
            name, _, value = cookie.split(";")[0].partition("=")
            self.cookies[name] = value
            if not value:
                del self.cookies[name]
        connection.close()
        found = re.search(r'name="form_token" value="([0-9a-f]+)"', text)
        self.token = found[1] if found else self.token
        return Answer(response.status, dict(response.headers.items()), text)

    def get(self, path: str, **headers: str) -> Answer:
        return self.send(
            "GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()}
        )

    def post(self, path: str, form: Mapping[str, str] | None = None, **headers: str) -> Answer:
        """A form of the page itself, unless headers say otherwise."""
        if not self.token:
            self.get(FORM)
        sent = {
            "Origin": self.served.url,
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        return self.send("POST", path, {"form_token": self.token, **(form or {})}, sent)

    def log_in(self, role: Role, pin: str | None = None) -> Answer:
        answer = self.post(f"/login/{role}", {"pin": PINS[role] if pin is None else pin})
        if answer.status == 303:
            self.get(FORM)
        return answer
