"""What the templates call: names, spans and places in the visitor's words."""

from __future__ import annotations

import math
from collections.abc import Iterable
from urllib.parse import quote

from edge.page.state import AlarmTold, ConsentTold, State, UseTold
from edge.page.visit import THEMES, Visit
from edge.page.words import LANGUAGES, Words, instant

_DAY_S = 86_400


class Showing:
    """Turns what the gateway says into words; unknown names are shown as they are."""

    def __init__(self, visit: Visit) -> None:
        self._words: Words = visit.words
        self._visit = visit

    def class_name(self, name: str) -> str:
        """A class in plain words."""
        return self._words.known(f"class.{name}.name", name)

    def class_names(self, names: Iterable[str]) -> str:
        """Several classes."""
        return self._list(self.class_name(name) for name in names)

    def class_what(self, name: str) -> str:
        """What a class is about."""
        return self._words.known(f"class.{name}.what", name)

    def purpose_name(self, name: str) -> str:
        """A purpose in plain words."""
        return self._words.known(f"purpose.{name}.name", name)

    def purpose_why(self, name: str) -> str:
        """What a purpose means."""
        return self._words.known(f"purpose.{name}.why", name)

    def purpose_when(self, name: str) -> str:
        """When data are collected for a purpose."""
        return self._words.known(f"purpose.{name}.when", self._words("unknown"))

    def state_of(self, use: UseTold) -> str:
        """Where a use stands."""
        return self._words.known(f"state.{use.state.replace(' ', '-')}", use.state)

    def alarm(self, alarm: AlarmTold) -> str:
        """What is wrong with a bus, in a line."""
        known = self._words.known(f"alarm.{alarm.kind.replace(' ', '-')}", alarm.kind)
        return self._words("alarm.of-bus", bus=alarm.bus, what=known)

    def listening(self, listening: str) -> str:
        """Whether the controller of a bus only listens."""
        return self._words.known(f"listening.{listening.replace(' ', '-')}", listening)

    def role(self, name: str) -> str:
        """A role."""
        return self._words.known(f"role.{name}", name)

    def roles(self) -> str:
        """The roles of the visitor."""
        return self._list(self.role(name) for name in sorted(self._visit.roles))

    def places(self, codes: Iterable[str]) -> str:
        """Jurisdictions by name, as far as there is one."""
        names = [self._words.known(f"place.{code}", code) for code in codes if code]
        return self._list(names) or self._words("unknown")

    def recipients(self, use: UseTold) -> str:
        """Who gets it."""
        return self._list(use.destinations) or self._words("notice.any-recipient")

    def days(self, days: float) -> str:
        """A number of days as a span."""
        return self._words.span(days * _DAY_S)

    def left(self, state: State, consent: ConsentTold) -> str:
        """How long a consent still lasts; empty where that cannot be told."""
        until, now = instant(consent.until), instant(state.clock.wall)
        if until is None or now is None or not state.clock.trusted:
            return ""
        return self._words("consent.left", span=self._words.span(max((until - now).total_seconds(), 0)))

    def path(self, *parts: str) -> str:
        """An address of this page."""
        return "/" + "/".join(quote(part, safe="") for part in parts)

    def seconds(self, span_s: float) -> int:
        """Whole seconds, rounded up."""
        return math.ceil(span_s)

    def other_language(self) -> str:
        """The language to switch to."""
        return next(name for name in LANGUAGES if name != self._words.language)

    def other_language_tag(self) -> str:
        """The same as HTML has it."""
        return LANGUAGES[self.other_language()]

    def other_theme(self) -> str:
        """The theme to switch to."""
        return THEMES[1] if self._visit.theme == THEMES[0] else THEMES[0]

    def switch(self, name: str, value: str) -> str:
        """The address of this page with another language or theme."""
        path = self._visit.request.path if self._visit.request.method == "GET" else "/"
        then = self._visit.next_path()
        further = f"&next={quote(then)}" if path.startswith("/login/") else ""
        return f"{quote(path)}?{name}={value}{further}"

    def _list(self, names: Iterable[str]) -> str:
        return self._words("list-separator").join(names)
