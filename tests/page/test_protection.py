"""Other sites, other names, other roles and large or slow requests get nowhere."""

from __future__ import annotations

import socket
from pathlib import Path
from urllib.parse import quote

import pytest
from werkzeug.test import EnvironBuilder, run_wsgi_app

from edge.clock import NS_PER_S, VirtualClock
from edge.page.pins import Role
from edge.page.server import PageServer
from tests.page.browser_like import FORM, Visitor
from tests.page.fake_gateway import sample_state
from tests.page.served import PINS, Served, StillClock, make, serving

CHANGES = {
    "/grant/cabin/recording": {"term": "1-day"},
    "/refuse/cabin/recording": {},
    "/withdraw/position/service": {},
    "/erase/position": {},
    "/take": {},
}


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1:1", "127.0.0.1", "0.0.0.0:{port}"]
)
@pytest.mark.parametrize("path", ["/", "/static/page.js", "/login/driver"])
def test_a_name_that_is_not_the_pages_is_refused(visitor: Visitor, host: str, path: str) -> None:
    answer = visitor.get(path, Host=host.format(port=visitor.served.port))
    assert answer.status == 400
    assert "operation" not in answer.text.lower()
    assert visitor.served.gateway.asked == []


def test_a_configured_name_is_taken(tmp_path: Path) -> None:
    with serving(make(tmp_path, names=("car.local",))) as served:
        visitor = Visitor(served)
        assert visitor.get("/", Host=f"CAR.local:{served.port}").status == 200
        assert visitor.get("/", Host=f"localhost:{served.port}").status == 200
        assert visitor.get("/", Host=f"other.local:{served.port}").status == 400


@pytest.mark.parametrize(
    "origin",
    [
        "",
        "null",
        "http://evil.example",
        "https://{own}",
        "http://localhost:{port}",
        "http://[",
        "http://{own}.evil.example",
    ],
)
def test_a_form_of_another_origin_changes_nothing(visitor: Visitor, origin: str) -> None:
    for role in PINS:
        visitor.log_in(role)
    served = visitor.served
    origin = origin.format(own=served.authority, port=served.port)
    for path, form in CHANGES.items():
        assert visitor.post(path, form, Origin=origin).status == 403
    assert served.gateway.changes() == []


@pytest.mark.parametrize("token", ["", "0" * 64, "ü", "of another visitor"])
def test_a_form_without_the_visitors_token_changes_nothing(visitor: Visitor, token: str) -> None:
    for role in PINS:
        visitor.log_in(role)
    if token.startswith("of another"):
        stranger = Visitor(visitor.served)
        stranger.get(FORM)
        token = stranger.token
    cookies = dict(visitor.cookies)
    forms = {**CHANGES, "/leave": {}, "/login/driver": {"pin": PINS[Role.DRIVER]}}
    for path, form in forms.items():
        assert visitor.post(path, {**form, "form_token": token}).status == 403
    assert visitor.served.gateway.changes() == []
    assert visitor.cookies == cookies


def test_a_browser_that_says_the_form_is_from_elsewhere_is_believed(visitor: Visitor) -> None:
    visitor.log_in(Role.DRIVER)
    assert visitor.post("/withdraw/position/service", Sec_Fetch_Site="cross-site").status == 403
    assert visitor.served.gateway.changes() == []


@pytest.mark.parametrize("role", [None, *Role])
def test_only_the_right_role_changes_things(visitor: Visitor, role: Role | None) -> None:
    if role is not None:
        visitor.log_in(role)
    for path, form in CHANGES.items():
        needed = Role.OWNER if path in {"/erase/position", "/take"} else Role.DRIVER
        before = len(visitor.served.gateway.changes())
        answer = visitor.post(path, form)
        changed = len(visitor.served.gateway.changes()) > before
        if role is needed:
            assert changed or (path, answer.status) == ("/take", 404)
        else:
            assert answer.status == 303
            assert answer.place.startswith(f"/login/{needed}?next=/")
            assert not changed


@pytest.mark.parametrize("role", [None, Role.DRIVER, Role.OWNER])
def test_the_inspection_is_for_the_inspector(visitor: Visitor, role: Role | None) -> None:
    if role is not None:
        visitor.log_in(role)
    for path in ("/inspection", "/inspection/state"):
        answer = visitor.get(path)
        assert (answer.status, answer.place) == (303, "/login/inspector?next=/inspection")
    visitor.log_in(Role.INSPECTOR)
    assert "m-0123/4567" in visitor.get("/inspection").text
    assert '"title": "fleet version 4' in visitor.get("/inspection/state").text


@pytest.mark.parametrize("path", ["/", "/left", "/data", "/use/position/service"])
def test_to_look_needs_no_pin(visitor: Visitor, path: str) -> None:
    assert visitor.get(path).status == 200


def test_without_a_pin_for_the_driver_only_the_driver_needs_none(tmp_path: Path) -> None:
    with serving(make(tmp_path, driver_pin=False)) as served:
        visitor = Visitor(served)
        assert visitor.post("/withdraw/position/service").place == "/"
        assert visitor.post("/erase/position").place == "/login/owner?next=/erase/position"
        assert visitor.post("/withdraw/position/service", Origin="http://evil.example").status == 403
        assert [one["do"] for one in served.gateway.changes()] == ["withdraw"]


def test_a_driver_without_pin_must_be_at_this_machine(tmp_path: Path) -> None:
    served = make(tmp_path, driver_pin=False)
    cookie = "ab" * 32
    for address, place in (
        ("192.168.7.20", "/login/driver?next=/withdraw/position/service"),
        ("127.0.0.1", "/"),
    ):
        environ = EnvironBuilder(
            path="/withdraw/position/service",
            method="POST",
            base_url=served.url,
            data={"form_token": served.page.sessions.form_token(cookie)},
            headers=[("Origin", served.url), ("Cookie", f"nevgate={cookie}")],
        ).get_environ()
        environ["REMOTE_ADDR"] = address
        _, status, headers = run_wsgi_app(served.app, environ)
        assert (status.split()[0], headers["Location"]) == ("303", place)
    assert len(served.gateway.changes()) == 1


def test_every_answer_keeps_itself_to_itself(visitor: Visitor) -> None:
    for path in ("/", "/static/page.css", "/nowhere", "/login/driver", "/inspection"):
        headers = visitor.get(path).headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "Access-Control-Allow-Origin" not in headers
        assert "Server" not in headers or "waitress" not in headers["Server"]


def test_cookies_stay_with_the_page(visitor: Visitor) -> None:
    answers = [visitor.get("/?language=en"), visitor.log_in(Role.DRIVER), visitor.post("/leave")]
    for answer in answers:
        assert "HttpOnly" in answer.headers["Set-Cookie"]
        assert "SameSite=Strict" in answer.headers["Set-Cookie"]


def test_the_cookie_of_before_the_pin_gains_nothing(visitor: Visitor) -> None:
    visitor.get(FORM)
    before = visitor.cookies["nevgate"]
    visitor.log_in(Role.DRIVER)
    assert visitor.cookies["nevgate"] != before
    thief = Visitor(visitor.served)
    thief.cookies["nevgate"] = before
    thief.get(FORM)
    assert thief.post("/withdraw/position/service").place.startswith("/login/driver")


def test_the_cookie_of_before_a_second_pin_is_worth_nothing(visitor: Visitor) -> None:
    visitor.log_in(Role.DRIVER)
    thief = Visitor(visitor.served)
    thief.cookies["nevgate"] = visitor.cookies["nevgate"]
    thief.get(FORM)
    visitor.log_in(Role.OWNER)
    assert thief.post("/withdraw/position/service").place.startswith("/login/driver")
    assert visitor.post("/withdraw/position/service").place == "/"


def test_a_role_ends_when_it_is_left(visitor: Visitor) -> None:
    visitor.log_in(Role.DRIVER)
    old = dict(visitor.cookies)
    visitor.post("/leave")
    visitor.cookies = old
    assert visitor.post("/withdraw/position/service").place.startswith("/login/driver")


def test_a_role_ends_by_itself_although_the_page_refreshes(tmp_path: Path) -> None:
    clock = VirtualClock(1_000 * NS_PER_S)
    with serving(make(tmp_path, clock=clock, idle_s=60)) as served:
        visitor = Visitor(served)
        visitor.log_in(Role.OWNER)
        for _ in range(3):
            clock.advance_to(clock.boot_ns() + 30 * NS_PER_S)
            assert visitor.get("/data", X_Refresh="1").status == 200
        assert visitor.post("/erase/position").place.startswith("/login/owner")


@pytest.mark.parametrize(
    "then",
    [
        "http://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "javascript:alert(1)",
        "/%0d%0aX:1",
        "/a b",
        "",
    ],
)
def test_a_pin_leads_nowhere_else(visitor: Visitor, then: str) -> None:
    answer = visitor.post("/login/driver", {"pin": PINS[Role.DRIVER], "next": then})
    assert (answer.status, answer.place) == (303, "/")


def test_a_change_is_no_link(visitor: Visitor) -> None:
    for role in PINS:
        visitor.log_in(role)
    for path in ("/grant/cabin/recording", "/refuse/cabin/recording", "/take", "/leave"):
        assert visitor.get(path).status == 405
    visitor.get("/withdraw/position/service")
    visitor.get("/erase/position")
    assert visitor.served.gateway.changes() == []


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_other_methods_do_nothing(visitor: Visitor, method: str) -> None:
    visitor.log_in(Role.DRIVER)
    assert visitor.send(method, "/withdraw/position/service").status in {403, 405}
    assert visitor.served.gateway.changes() == []


def test_a_large_request_is_not_read(visitor: Visitor) -> None:
    visitor.log_in(Role.DRIVER)
    assert visitor.post("/withdraw/position/service", {"more": "x" * 20_000}).status == 413
    assert visitor.get("/", Cookie="x" * 20_000).status == 431
    assert visitor.served.gateway.changes() == []
    assert visitor.get("/").status == 200


class SlowVisitors:
    """Connections that begin a request and never end it."""

    def __init__(self, served: Served, count: int, text: bytes) -> None:
        self.sockets = [
            socket.create_connection(("127.0.0.1", served.port), timeout=10) for _ in range(count)
        ]
        for one in self.sockets:
            one.sendall(text)

    def close(self) -> None:
        for one in self.sockets:
            one.close()


def test_many_who_never_finish_do_not_keep_others_out(visitor: Visitor) -> None:
    slow = SlowVisitors(visitor.served, 20, b"GET / HTTP/1.1\r\nHost: ")
    try:
        assert visitor.get("/").status == 200
    finally:
        slow.close()


def test_who_dribbles_a_request_is_let_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.page.server._REQUEST_S", 0.2)
    with serving(make(tmp_path)) as served:
        slow = SlowVisitors(served, 1, b"POST /leave HTTP/1.1\r\nContent-Length: 100\r\n\r\nx")
        try:
            assert slow.sockets[0].recv(100) == b""
        finally:
            slow.close()


def test_a_port_that_is_taken_is_said_in_one_line(served: Served) -> None:
    with pytest.raises(Exception, match=r"cannot listen on 127\.0\.0\.1 port"):
        PageServer(served.app, "127.0.0.1", served.port)


HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{7*7}}"


def _poisoned(value: object) -> object:
    if isinstance(value, str):
        return HOSTILE
    if isinstance(value, list):
        return [_poisoned(one) for one in value]
    if isinstance(value, dict):
        return {key: _poisoned(one) for key, one in value.items()}
    return value


NAME = "<img src=x onerror=alert(3)>\"'"
USE = f"{quote(NAME)}/{quote(NAME)}"


def test_hostile_words_of_the_gateway_are_only_words(visitor: Visitor) -> None:
    for role in PINS:
        visitor.log_in(role)
    state = _poisoned(sample_state())
    assert isinstance(state, dict)
    for one in state["uses"]:
        one.update({"class": NAME, "purpose": NAME})
    state["kept"][0].update({"class": NAME})
    state["place"] = {"name": HOSTILE, "withheld": [HOSTILE]}
    state["clock"]["trusted"] = False
    visitor.served.gateway.told = state
    for path in (
        "/",
        "/left",
        "/data",
        "/inspection",
        f"/use/{USE}",
        f"/withdraw/{USE}",
        f"/erase/{quote(NAME)}",
    ):
        answer = visitor.get(path)
        assert answer.status == 200
        assert "<script>alert" not in answer.text
        assert "<img" not in answer.text
        assert (
            "onerror=alert(2)&gt;{{7*7}}" in answer.text
            or "&lt;img src=x onerror=alert(3)&gt;" in answer.text
        )


def test_hostile_words_of_a_refusal_are_only_words(visitor: Visitor) -> None:
    visitor.log_in(Role.DRIVER)
    visitor.served.gateway.refusal = {"ok": False, "what": HOSTILE, "todo": HOSTILE}
    answer = visitor.post("/withdraw/position/service")
    assert answer.status == 409
    assert "<script>alert" not in answer.text
    assert "&lt;script&gt;" in answer.text


def test_an_answer_that_is_none_is_said(visitor: Visitor) -> None:
    visitor.served.gateway.told = {"ok": True, "uses": [{"class": 7}], "left": "much"}
    answer = visitor.get("/")
    assert answer.status == 503
    assert "Traceback" not in answer.text


def test_the_clock_of_the_tests_lets_nothing_stay_fresh() -> None:
    clock = StillClock()
    assert clock.boot_ns() != clock.boot_ns()
