"""The page as a WSGI application: which address shows or changes what, and who may."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from werkzeug.exceptions import Conflict, Forbidden, HTTPException, NotFound
from werkzeug.routing import Map, Rule
from werkzeug.utils import redirect
from werkzeug.wrappers import Response

from edge.config.page import PageSection
from edge.errors import NevgateError
from edge.page.asking import Asking
from edge.page.door_keeper import DoorKeeper, Verdict
from edge.page.guard import HEADERS, check_host, check_origin, from_this_machine
from edge.page.pins import Role
from edge.page.sessions import Sessions
from edge.page.showing import Showing
from edge.page.state import State, UseTold
from edge.page.taking import BusyError, Taking
from edge.page.terms import chosen, offered
from edge.page.visit import (
    LANGUAGE_COOKIE,
    SAID_COOKIE,
    THEME_COOKIE,
    THEMES,
    VISITOR_COOKIE,
    PageRequest,
    Visit,
)
from edge.page.words import LANGUAGES

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

logger = logging.getLogger(__name__)

_STATIC = {"page.css": "text/css", "page.js": "text/javascript", "page.svg": "image/svg+xml"}
_SEE_OTHER = 303
_TOO_MANY = 429
_UNAVAILABLE = 503
_LONGEST_KEY = 1_024

_ROUTES = Map(
    [
        Rule("/", endpoint="now", methods=["GET"]),
        Rule("/left", endpoint="left", methods=["GET"]),
        Rule("/data", endpoint="data", methods=["GET"]),
        Rule("/inspection", endpoint="inspection", methods=["GET"]),
        Rule("/inspection/state", endpoint="inspection_state", methods=["GET"]),
        Rule("/use/<data_class>/<purpose>", endpoint="use", methods=["GET"]),
        Rule("/withdraw/<data_class>/<purpose>", endpoint="withdraw_ask", methods=["GET"]),
        Rule("/erase/<data_class>", endpoint="erase_ask", methods=["GET"]),
        Rule("/login/<role>", endpoint="login_ask", methods=["GET"]),
        Rule("/static/<name>", endpoint="static_file", methods=["GET"]),
        Rule("/grant/<data_class>/<purpose>", endpoint="grant", methods=["POST"]),
        Rule("/refuse/<data_class>/<purpose>", endpoint="refuse", methods=["POST"]),
        Rule("/withdraw/<data_class>/<purpose>", endpoint="withdraw", methods=["POST"]),
        Rule("/erase/<data_class>", endpoint="erase", methods=["POST"]),
        Rule("/take", endpoint="take", methods=["POST"]),
        Rule("/login/<role>", endpoint="login", methods=["POST"]),
        Rule("/leave", endpoint="leave", methods=["POST"]),
    ],
    strict_slashes=False,
    merge_slashes=False,
)


@dataclass(frozen=True)
class Page:
    """The page.

    Attributes:
        section: of the configuration.
        authorities: what a browser may send as Host.
        asking: asks the running gateway.
        sessions: the visitors.
        keeper: of the PINs.
        taking: makes the file of data to take along; None where there is no journal.
    """

    section: PageSection
    authorities: frozenset[str]
    asking: Asking
    sessions: Sessions
    keeper: DoorKeeper
    taking: Taking | None


class PageApp:
    """Answers requests."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._templates = Environment(
            loader=PackageLoader("edge.page"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        folder = files("edge.page").joinpath("static")
        self._static = {name: folder.joinpath(name).read_bytes() for name in _STATIC}

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request; see PEP 3333."""
        request = PageRequest(environ)
        refreshes = request.headers.get("X-Refresh") == "1"
        sessions = self._page.sessions
        cookie = sessions.visitor(request.cookies.get(VISITOR_COOKIE))
        roles = sessions.roles(cookie, use=not refreshes)
        if not self._page.section.driver_pin and from_this_machine(request):
            roles |= {Role.DRIVER}
        visit = Visit(request, cookie, sessions.form_token(cookie), roles)
        try:
            response = self._answer(visit)
        except HTTPException as error:
            response = self._trouble(visit, error)
        except NevgateError as error:
            response = self._render(visit, "down.html", status=_UNAVAILABLE, error=error)
        return visit.finish(response, HEADERS)(environ, start_response)

    def _answer(self, visit: Visit) -> Response:
        request, page = visit.request, self._page
        check_host(request, page.authorities)
        endpoint, values = _ROUTES.bind_to_environ(request.environ).match()
        if request.method == "POST":
            check_origin(request, page.authorities)
            if not page.sessions.is_form_token(visit.cookie, visit.field("form_token")):
                raise Forbidden
        else:
            changed = self._preferences(visit)
            if changed is not None:
                return changed
        handle: Callable[..., Response] = getattr(self, f"_{endpoint}")
        return handle(visit, **values)

    # What is shown

    def _now(self, visit: Visit) -> Response:
        return self._render(visit, "now.html", state=self._page.asking.state())

    def _left(self, visit: Visit) -> Response:
        return self._render(visit, "left.html", state=self._page.asking.state())

    def _data(self, visit: Visit, error: NevgateError | None = None) -> Response:
        taking = self._page.taking
        return self._render(
            visit,
            "data.html",
            status=200 if error is None else Conflict.code,
            state=self._page.asking.state(),
            can_take=taking is not None,
            progress=taking.progress if taking is not None and Role.OWNER in visit.roles else None,
            error=error,
        )

    def _use(
        self, visit: Visit, data_class: str, purpose: str, error: NevgateError | None = None
    ) -> Response:
        state, use = self._found(data_class, purpose)
        return self._render(
            visit,
            "use.html",
            status=200 if error is None else Conflict.code,
            state=state,
            use=use,
            terms=offered(use),
            error=error,
        )

    def _withdraw_ask(
        self, visit: Visit, data_class: str, purpose: str, error: NevgateError | None = None
    ) -> Response:
        state, use = self._found(data_class, purpose)
        status = 200 if error is None else Conflict.code
        return self._render(visit, "withdraw.html", status=status, state=state, use=use, error=error)

    def _erase_ask(self, visit: Visit, data_class: str, error: NevgateError | None = None) -> Response:
        state = self._page.asking.state()
        if data_class not in state.classes():
            raise NotFound
        by_law = any(one.data_class == data_class and not one.by_consent for one in state.uses)
        status = 200 if error is None else Conflict.code
        return self._render(
            visit, "erase.html", status=status, state=state, data_class=data_class, by_law=by_law, error=error
        )

    def _inspection(self, visit: Visit) -> Response:
        if Role.INSPECTOR not in visit.roles:
            return _to_login(Role.INSPECTOR, "/inspection")
        return self._render(visit, "inspection.html", state=self._page.asking.state())

    def _inspection_state(self, visit: Visit) -> Response:
        if Role.INSPECTOR not in visit.roles:
            return _to_login(Role.INSPECTOR, "/inspection")
        text = json.dumps(_plain(self._page.asking.state()), ensure_ascii=False, indent=2)
        response = Response(text, mimetype="application/json")
        response.headers["Content-Disposition"] = 'attachment; filename="gateway.json"'
        return response

    def _static_file(self, visit: Visit, name: str) -> Response:
        del visit
        if name not in _STATIC:
            raise NotFound
        return Response(self._static[name], content_type=f"{_STATIC[name]}; charset=utf-8")

    # What is changed

    def _grant(self, visit: Visit, data_class: str, purpose: str) -> Response:
        here = f"/use/{data_class}/{purpose}"
        _, use = self._found(data_class, purpose)
        if Role.DRIVER not in visit.roles:
            return _to_login(Role.DRIVER, here)
        choice = chosen(use, visit.field("term"), keep=visit.field("keep") == "yes")
        if choice is None or not use.by_consent:
            raise Conflict
        try:
            self._page.asking.grant(data_class, purpose, choice)
        except NevgateError as error:
            return self._use(visit, data_class, purpose, error)
        return _done(visit, "/", "granted")

    def _refuse(self, visit: Visit, data_class: str, purpose: str) -> Response:
        _, use = self._found(data_class, purpose)
        if Role.DRIVER not in visit.roles:
            return _to_login(Role.DRIVER, f"/use/{data_class}/{purpose}")
        if not use.by_consent:
            raise Conflict
        try:
            self._page.asking.refuse(data_class, purpose)
        except NevgateError as error:
            return self._use(visit, data_class, purpose, error)
        return _done(visit, "/", "refused")

    def _withdraw(self, visit: Visit, data_class: str, purpose: str) -> Response:
        self._found(data_class, purpose)
        if Role.DRIVER not in visit.roles:
            return _to_login(Role.DRIVER, f"/withdraw/{data_class}/{purpose}")
        try:
            self._page.asking.withdraw(data_class, purpose)
        except NevgateError as error:
            return self._withdraw_ask(visit, data_class, purpose, error)
        return _done(visit, "/", "withdrawn")

    def _erase(self, visit: Visit, data_class: str) -> Response:
        if data_class not in self._page.asking.state().classes():
            raise NotFound
        if Role.OWNER not in visit.roles:
            return _to_login(Role.OWNER, f"/erase/{data_class}")
        try:
            self._page.asking.erase(data_class)
        except NevgateError as error:
            return self._erase_ask(visit, data_class, error)
        return _done(visit, "/data", "erased")

    def _take(self, visit: Visit) -> Response:
        if Role.OWNER not in visit.roles:
            return _to_login(Role.OWNER, "/data")
        if self._page.taking is None:
            raise NotFound
        state = self._page.asking.state()
        try:
            pieces = self._page.taking.begin(_plain(state))
        except BusyError:
            busy = BusyError(visit.words("data.taking-busy"))
            return self._data(visit, busy)
        except NevgateError as error:
            return self._data(visit, error)
        response = Response(pieces, mimetype="application/zip", direct_passthrough=True)
        response.headers["Content-Disposition"] = 'attachment; filename="vehicle-data.zip"'
        return response

    # Who is there

    def _login_ask(self, visit: Visit, role: str) -> Response:
        wanted = _role(role)
        if wanted in visit.roles:
            return redirect(visit.next_path(), _SEE_OTHER)
        return self._render_login(visit, wanted, Verdict())

    def _login(self, visit: Visit, role: str) -> Response:
        wanted = _role(role)
        upload = visit.request.files.get("key")
        key = upload.read(_LONGEST_KEY).decode("utf-8", "replace").strip() if upload is not None else ""
        verdict = self._page.keeper.check(wanted, visit.field("pin") or key)
        if not verdict.right:
            logger.warning("a wrong PIN of the %s, or one too soon", wanted)
            return self._render_login(visit, wanted, verdict)
        logger.info("somebody is the %s now", wanted)
        visit.cookie = self._page.sessions.give(visit.cookie, wanted)
        return redirect(visit.next_path(), _SEE_OTHER)

    def _render_login(self, visit: Visit, role: Role, verdict: Verdict) -> Response:
        known, trouble = self._page.keeper.known(role)
        status = 200
        if verdict.wait_s > 0:
            status = _TOO_MANY
        elif verdict.tried:
            status = Forbidden.code
        return self._render(
            visit, "login.html", status=status, role=role, verdict=verdict, known=known, trouble=trouble
        )

    def _leave(self, visit: Visit) -> Response:
        self._page.sessions.end(visit.cookie)
        visit.cookie = self._page.sessions.visitor(None)
        return _done(visit, "/", "locked")

    # What they share

    def _found(self, data_class: str, purpose: str) -> tuple[State, UseTold]:
        state = self._page.asking.state()
        use = state.use(data_class, purpose)
        if use is None:
            raise NotFound
        return state, use

    def _preferences(self, visit: Visit) -> Response | None:
        """Take another language or theme, and show the same page again."""
        query = visit.request.args
        for name, cookie, allowed in (
            ("language", LANGUAGE_COOKIE, tuple(LANGUAGES)),
            ("theme", THEME_COOKIE, THEMES),
        ):
            if query.get(name) in allowed:
                visit.set_cookies[cookie] = query[name]
                further = f"?next={visit.next_path()}" if "next" in query else ""
                return redirect(f"{visit.request.path}{further}", _SEE_OTHER)
        return None

    def _render(self, visit: Visit, template: str, *, status: int = 200, **values: object) -> Response:
        showing = Showing(visit)
        text = self._templates.get_template(template).render(
            w=visit.words, visit=visit, show=showing, said=visit.said(), **values
        )
        return Response(text, status=status, mimetype="text/html")

    def _trouble(self, visit: Visit, error: HTTPException) -> Response:
        if error.response is not None:
            # The routing's own redirections.
            return Response(status=NotFound.code)
        code = error.code or NotFound.code
        response = self._render(visit, "trouble.html", status=code, code=code)
        if code == 405 and error.get_headers():  # noqa: PLR2004 - HTTP: Method Not Allowed
            response.headers["Allow"] = dict(error.get_headers()).get("Allow", "GET")
        return response


def _role(name: str) -> Role:
    try:
        return Role(name)
    except ValueError:
        raise NotFound from None


def _to_login(role: Role, then: str) -> Response:
    return redirect(f"/login/{role}?next={quote(then)}", _SEE_OTHER)


def _done(visit: Visit, path: str, said: str) -> Response:
    visit.set_cookies[SAID_COOKIE] = said
    return redirect(path, _SEE_OTHER)


def _plain(state: State) -> dict[str, object]:
    return state.model_dump(mode="json", by_alias=True)
