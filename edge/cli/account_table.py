"""How a person is shown an account and a running gateway."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Group
from rich.table import Table
from rich.text import Text

from edge.account import Account
from edge.catalogue.catalogue import Catalogue
from edge.catalogue.item import Item, Kind
from edge.cli.console import page
from edge.gateway import View
from edge.records import Missing, Record, Value

SHOWN_ITEMS = (
    "vehicle.speed",
    "vehicle.odometer",
    "hv.voltage",
    "hv.current",
    "hv.soc",
    "motor[1].speed",
    "motor[1].torque",
    "bat.max_cell_v",
    "bat.min_cell_v",
    "bat.max_temp",
    "gnss.lat",
    "gnss.lon",
    "alarm.max_level",
)
"""What a live table shows first, where a record has it; others follow."""

_ROWS = 14


def account_table(account: Account) -> Table:
    """Lay an account out: a line a hop, with every cause under which something was set aside."""
    verdict = "balanced" if account.balanced else "NOT BALANCED"
    table = Table(title=f"account: {verdict}", title_style="bold green" if account.balanced else "bold red")
    table.add_column("hop")
    table.add_column("unit")
    table.add_column("entered", justify="right")
    table.add_column("left", justify="right")
    table.add_column("set aside, by cause")
    for hop in account.hops:
        causes = [f"{count:,} {cause}" for cause, count in hop.set_aside.items() if count]
        causes += [f"at least {count:,} {cause}" for cause, count in hop.at_least.items() if count]
        if not hop.balanced:
            causes.append(f"{hop.difference:,} WITHOUT A NAME")
        table.add_row(hop.name, hop.unit, f"{hop.entered:,}", f"{hop.left:,}", "; ".join(causes))
    return table


def live_view(view: View, catalogue: Catalogue, title: str) -> Group:
    """What a person watching a running gateway sees: newest values and the account."""
    line = Text(f"{title}   uplink: {view.uplink.phase.value}", style="bold")
    if view.uplink.trouble:
        line.append(f"   {view.uplink.trouble}", style="bold red")
    line.append(f"   waiting: {view.uplink.waiting_messages:,} messages")
    parts: list[Text | Table] = [line]
    if view.record is not None:
        parts.append(record_table(view.record, catalogue))
    parts.append(account_table(view.account))
    return Group(*parts)


def record_table(record: Record, catalogue: Catalogue, rows: int = _ROWS) -> Table:
    """The newest record's items, the well-known ones first."""
    table = Table(title=f"record {record.number}")
    table.add_column("item")
    table.add_column("value", justify="right")
    table.add_column("unit")
    ids = [item_id for item_id in SHOWN_ITEMS if item_id in record.values]
    ids += [item_id for item_id in record.values if item_id not in ids]
    for item_id in ids[:rows]:
        item = catalogue.item(item_id)
        table.add_row(item_id, physical(record.values[item_id], item), item.unit)
    if len(ids) > rows:
        table.add_row(f"and {len(ids) - rows} more", "", "")
    return table


def physical(value: Value, item: Item) -> str:
    """A value as a person reads it, in the item's unit or by its name."""
    if isinstance(value, Missing):
        return value.value
    if isinstance(value, tuple):
        missing = sum(isinstance(element, Missing) for element in value)
        return f"{len(value)} elements" + (f", {missing} missing" if missing else "")
    if item.kind is not Kind.BITS and value in item.names:
        return item.names[value]
    return str(item.physical(value))


def print_account(account: Account, extra: Mapping[str, object] | None = None) -> None:
    """Print the account on standard error, where a pipe does not take it."""
    console = page(stderr=True)
    console.print(account_table(account))
    for name, value in (extra or {}).items():
        console.print(f"{name}: {value}")
