"""What a configuration asks of the core beside its items: sampling windows, events, the collision trigger."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from difflib import get_close_matches

from edge.catalogue.condition import NOT_ZERO, parse_condition
from edge.catalogue.units import conversion
from edge.clock import NS_PER_S
from edge.config.configuration import Config
from edge.config.events import COLLISION, CollisionSection, EventSection
from edge.config.sampling import SamplingSection
from edge.database.model import Database, Message, Signal, SignalRef
from edge.errors import ConfigError
from edge.vehicle.event_watch import EventWatch
from edge.vehicle.expression import Expression, SignalComparison
from edge.vehicle.rules import Edition, SamplingRules
from edge.vehicle.speed_change import MotionSignal, Quantity, SpeedChange
from edge.vehicle.trigger import Trigger

_BASE = {Quantity.SPEED: ("km/h", 1 / 3.6), Quantity.ACCELERATION: ("m/s^2", 1.0)}

Databases = Mapping[str, Sequence[Database]]


def sampling_rules(section: SamplingSection) -> SamplingRules:
    """The rules that ``[sampling]`` stands for."""
    edition = Edition(section.edition)
    watch_s = section.after_off_s
    if watch_s is None:
        watch_s = section.report_after_off_s if edition is Edition.OF_2016 else 3600.0
    return SamplingRules(
        period_ns=_ns(section.collect_period_s),
        edition=edition,
        before_ns=_ns(section.alarm_before_s),
        after_ns=_ns(section.alarm_after_s),
        report_after_off_ns=_ns(section.report_after_off_s),
        watch_after_off_ns=_ns(watch_s),
    )


def event_watch(config: Config, databases: Databases, withheld: Collection[SignalRef]) -> EventWatch | None:
    """The watch for what ``[[event]]`` and ``[collision]`` ask for; None where they ask for nothing.

    Args:
        config: the configuration.
        databases: of each bus.
        withheld: signals that the door removes: none of them may decide about an event.

    Raises:
        ConfigError: if a signal is not there, is withheld, or has a unit that says neither speed nor
            acceleration where that is asked for.
    """
    signals = _Signals(databases, withheld)
    triggers = [_event(section, signals) for section in config.event]
    if config.collision is not None:
        triggers.append(_collision(config.collision, signals))
    if not triggers:
        return None
    return EventWatch(databases, triggers, ring_bytes=config.sampling.event_ring_bytes)


class _Signals:
    """Finds the signals that conditions name."""

    def __init__(self, databases: Databases, withheld: Collection[SignalRef]) -> None:
        self._withheld = frozenset(withheld)
        self._found: dict[str, tuple[SignalRef, Signal]] = {}
        for bus, several in databases.items():
            for message in _messages(several):
                for signal in message.signals:
                    ref = SignalRef(bus, message.name, signal.name)
                    self._found.setdefault(f"{bus}.{message.name}.{signal.name}", (ref, signal))

    def find(self, name: str, where: str) -> tuple[SignalRef, Signal]:
        """The signal called ``BUS.MESSAGE.SIGNAL``, for the condition at `where`."""
        found = self._found.get(name.strip())
        if found is None:
            near = get_close_matches(name, self._found, n=1)
            todo = f"Did you mean '{near[0]}'?" if near else "Write it like BUS.MESSAGE.SIGNAL"
            raise ConfigError(f"no database has a signal '{name}'", where=where, todo=todo)
        if found[0] in self._withheld:
            raise ConfigError(
                f"'{name}' is not collected, so no event can depend on it",
                where=where,
                todo="Take a signal that the policy lets be collected at all times and in all places",
            )
        return found

    def comparisons(self, several: Iterable[str], where: str) -> tuple[SignalComparison, ...]:
        """What conditions say; a name alone means "not 0"."""
        made: list[SignalComparison] = []
        for words in several:
            name, comparison = parse_condition(words)
            made.append(SignalComparison(self.find(name, where)[0], comparison or NOT_ZERO))
        return tuple(made)


def _messages(databases: Iterable[Database]) -> Iterable[Message]:
    for database in databases:
        for message in database.messages:
            yield message
            yield from message.contained


def _event(section: EventSection, signals: _Signals) -> Trigger:
    where = f"event '{section.name}'"
    expression = Expression(
        all_of=signals.comparisons(section.all_of, where),
        any_of=signals.comparisons(section.any_of, where),
        clear_when=signals.comparisons(section.clear_when, where),
    )
    return Trigger(
        name=section.name,
        expression=expression,
        for_ns=_ns(section.for_s),
        pre_ns=_ns(section.pre_s),
        post_ns=_ns(section.post_s),
        longest_ns=_ns(section.longest_s),
        frames=section.frames,
        most_per_hour=section.most_per_hour,
    )


def _collision(section: CollisionSection, signals: _Signals) -> Trigger:
    changes = [
        SpeedChange(
            _motion(name, quantity, signals),
            more_than_km_h=section.delta_v_km_h,
            within_ns=_ns(section.within_s),
        )
        for quantity, names in (
            (Quantity.ACCELERATION, section.acceleration),
            (Quantity.SPEED, section.speed),
        )
        for name in names
    ]
    airbags = signals.comparisons(section.airbag, "[collision] airbag")
    return Trigger(
        name=COLLISION,
        expression=Expression(any_of=(*changes, *airbags)),
        for_ns=0,
        pre_ns=_ns(section.before_s),
        post_ns=_ns(section.after_s),
        longest_ns=_ns(_LONGEST_COLLISION_S),
        frames=True,
        most_locked=section.most_locked,
    )


_LONGEST_COLLISION_S = 60.0
"""A pile-up goes on; after this a further impact is an event of its own."""


def _motion(name: str, quantity: Quantity, signals: _Signals) -> MotionSignal:
    where = f"[collision] {quantity.value}"
    ref, signal = signals.find(name, where)
    unit, factor = _BASE[quantity]
    converted = conversion(signal.unit, unit)
    if converted is None:
        raise ConfigError(
            f"'{name}' has the unit '{signal.unit}', which is none of {quantity.value}",
            where=where,
            todo=f"Take a signal in {unit}, or mend the unit in the database",
        )
    bounded = signal.minimum is not None and signal.maximum is not None and signal.minimum < signal.maximum
    return MotionSignal(
        ref,
        quantity,
        float(converted.scale) * factor,
        signal.minimum if bounded else None,
        signal.maximum if bounded else None,
    )


def _ns(seconds: float) -> int:
    return round(seconds * NS_PER_S)
