"""`OrderDesk`: what a platform may order (control, 0x82): nothing but to drop the link, unless configured."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from edge.uplink.gbt.answered import CarryOut, CommandRefusedError, DropLink, Given, Order
from edge.wire.gbt.beijing import unix_seconds
from edge.wire.gbt.message import Content, Values

_ALARM_LEVELS = range(4)
_WITHOUT_ARGUMENT = frozenset({Order.SHUTDOWN, Order.RESET, Order.FACTORY_RESET, Order.DROP_LINK})


@dataclass(frozen=True, slots=True)
class OrderRules:
    """Which orders the owner of the vehicle lets a platform give.

    Attributes:
        allowed: the others are answered with an error.
    """

    allowed: frozenset[Order] = frozenset({Order.DROP_LINK})


@dataclass(frozen=True, slots=True)
class OrderDesk:
    """Takes orders.

    Attributes:
        rules: which are allowed.
        actions: what an allowed order does; without an entry it is refused, since nothing would come of it.
            Only `Order.DROP_LINK` needs none.
    """

    rules: OrderRules = OrderRules()
    actions: Mapping[Order, Callable[[Given], None]] = field(default_factory=dict)

    def take(self, content: Content) -> tuple[Given, CarryOut | DropLink]:
        """Judge an order; nothing is carried out yet.

        Raises:
            CommandRefusedError: it is not allowed, not known, or its argument is none of it.
        """
        if not isinstance(content, Values) or content.part != "control":
            raise CommandRefusedError("is no control order")
        time, number, argument = content.raws
        try:
            order = Order(number)
        except ValueError:
            raise CommandRefusedError(f"there is no control order {number:02X}") from None
        name = order_name(order)
        if order not in self.rules.allowed:
            raise CommandRefusedError(f"the configuration does not allow the order '{name}'")
        if order in _WITHOUT_ARGUMENT and argument:
            raise CommandRefusedError(
                f"the order '{name}' has no argument, this one has {len(argument)} bytes"
            )
        if order is Order.ALARM and (len(argument) != 1 or argument[0] not in _ALARM_LEVELS):
            raise CommandRefusedError(f"the order '{name}' has a level of 0 to 3 as its argument")
        given = Given(order, argument, unix_seconds(time) or 0)
        action = self.actions.get(order)
        if action is not None:
            return given, CarryOut(given, action)
        if order is not Order.DROP_LINK:
            raise CommandRefusedError(f"nothing in this vehicle carries out the order '{name}'")
        return given, DropLink()


def order_name(order: Order) -> str:
    """An order in words, as the tables have them."""
    return {
        Order.UPGRADE: "remote upgrade",
        Order.SHUTDOWN: "shutdown",
        Order.RESET: "reset",
        Order.FACTORY_RESET: "factory reset",
        Order.DROP_LINK: "drop the link",
        Order.ALARM: "terminal alarm",
        Order.OPEN_SAMPLING: "open the sampling link",
    }[order]
