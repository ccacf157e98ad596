"""Serves the page of a platform's stills and clips to a browser on the same machine."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from werkzeug.exceptions import BadRequest, HTTPException, NotFound
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from edge.errors import NevgateError
from edge.page.guard import HEADERS, check_host
from simulator.platform.media_page import STYLE, STYLE_PATH, media_page, verified_content
from simulator.platform.reader import StoreReader

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; media-src 'self'; "
    "form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
)
_LARGEST_ROW = 2**63 - 1
_HTTP = "80"
_NAMES = ("127.0.0.1", "localhost")
_NOTHING = 204
_UNAVAILABLE = 503
_ROUTES = Map(
    [
        Rule("/", endpoint="page", methods=["GET"]),
        Rule(STYLE_PATH, endpoint="style", methods=["GET"]),
        Rule("/favicon.ico", endpoint="nothing", methods=["GET"]),
        Rule(f"/media/<int(max={_LARGEST_ROW}):row>", endpoint="content", methods=["GET"]),
    ],
    merge_slashes=False,
)


class MediaSite:
    """The page as a WSGI application; it only reads.

    No part of an address names a file: a picture is asked for by its row in the store.

    Args:
        store: the platform's, which may be written meanwhile.
    """

    def __init__(self, store: Path) -> None:
        self._store = store

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        request = Request(environ)
        try:
            check_host(request, _authorities(environ["SERVER_PORT"]))
            endpoint, values = _ROUTES.bind_to_environ(environ).match()
            answer = self._answer(request, endpoint, values)
        except HTTPException as error:
            answer = Response(f"{error.code} {error.name}\n", error.code, mimetype="text/plain")
        except NevgateError as error:
            answer = Response(f"{error}\n", _UNAVAILABLE, mimetype="text/plain")
        answer.headers.update({**HEADERS, "Content-Security-Policy": _POLICY})
        return answer(environ, start_response)

    def _answer(self, request: Request, endpoint: str, values: object) -> Response:
        if endpoint == "style":
            return Response(STYLE, mimetype="text/css")
        if endpoint == "nothing":
            return Response(status=_NOTHING)
        with StoreReader(self._store) as reader:
            match endpoint, values:
                case "content", {"row": int(row)}:
                    return _content(request, reader, row)
                case _:
                    vehicle = request.args.get("vehicle") or None
                    page = media_page(reader, vehicle=vehicle, before=_before(request))
                    return Response(page, mimetype="text/html")


def _authorities(port: str) -> frozenset[str]:
    """What a browser may send as Host; it leaves HTTP's own port away."""
    return frozenset({f"{name}:{port}" for name in _NAMES} | (set(_NAMES) if port == _HTTP else set()))


def _content(request: Request, reader: StoreReader, row: int) -> Response:
    kept = reader.media_at(row)
    found = None if kept is None else verified_content(reader, kept)
    if found is None:
        raise NotFound
    content, served = found
    answer = Response(content, content_type=served)
    # Some browsers play no film of which they cannot have a part.
    return answer.make_conditional(request, accept_ranges=True, complete_length=len(content))


def _before(request: Request) -> int | None:
    text = request.args.get("before")
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < len(str(_LARGEST_ROW))):
        raise BadRequest
    return int(text)
