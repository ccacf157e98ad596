"""What keeps other sites and other names out: checks of each request, headers of each answer."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from types import MappingProxyType
from urllib.parse import urlsplit

from werkzeug.exceptions import BadRequest, Forbidden
from werkzeug.wrappers import Request

HEADERS: Mapping[str, str] = MappingProxyType(
    {
        "Content-Security-Policy": (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
            "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
        ),
        "X-Frame-Options": "DENY",
        "X-Content-Type-Options": "nosniff",
        # Not "no-referrer": with that browsers send 'Origin: null' with the page's own forms.
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
        "Cache-Control": "no-store",
    }
)
"""Of every answer: nothing from elsewhere, no script in the page itself, no frame around it, no copy kept."""


def check_host(request: Request, authorities: frozenset[str]) -> None:
    """See that the page was called by a name of its own.

    A name of another site that resolves to this machine (DNS rebinding) is refused before anything is shown.

    Raises:
        BadRequest: another name, or none.
    """
    if request.environ.get("HTTP_HOST", "").lower() not in authorities:
        raise BadRequest


def check_origin(request: Request, authorities: frozenset[str]) -> None:
    """See that a form was sent by a page of this server.

    Raises:
        Forbidden: it came from elsewhere, or does not say where from.
    """
    origin = request.headers.get("Origin", "")
    try:
        parts = urlsplit(origin)
    except ValueError:
        raise Forbidden from None
    own = f"http://{request.environ.get('HTTP_HOST', '').lower()}"
    if parts.scheme != "http" or parts.netloc.lower() not in authorities or origin.lower() != own:
        raise Forbidden
    if request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
        raise Forbidden


def from_this_machine(request: Request) -> bool:
    """Whether the other end of the connection is on this machine."""
    try:
        return ipaddress.ip_address(request.environ.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False
