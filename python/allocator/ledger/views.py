"""The ledger as people and BI tools read it: names instead of numbers, dates instead of days, the same on both stores.

Tables are named in the singular, views in the plural. Quantities are in the units of the SKU: exact on PostgreSQL, and
on SQLite, which has no decimals, whole numbers where the SKU has no decimal places and floating point where it has.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from allocator.ledger.records import OWNED
from allocator.ledger.selection import ACCOUNT_BITS


class _Words(NamedTuple):
    """How a store says what a view shows; `{}` is a column, `{sku}` the SKU that says its decimal places."""

    day: str
    moment: str
    qty: str
    today: str
    allocatable: str

    def quantity(self, steps: str, sku: str = "k") -> str:
        """Steps in units of the SKU."""
        return self.qty.format(steps, sku=sku)


_SPELLED: Final[Mapping[str, _Words]] = {
    "sqlite": _Words(
        "date({} * 86400, 'unixepoch')",
        "datetime({0} / 1000000, 'unixepoch') || printf('.%06d', {0} % 1000000)",
        "CASE {sku}.scale WHEN 0 THEN {0} ELSE {0} / CAST('1e' || {sku}.scale AS REAL) END",
        "CAST(strftime('%s', 'now') AS INTEGER) / 86400",
        "SELECT 1 FROM json_each(d.document, '$.statuses') s WHERE json_extract(s.value, '$.name') = a.status "
        "AND json_extract(s.value, '$.allocatable')",
    ),
    "postgresql": _Words(
        "DATE '1970-01-01' + {}::integer",
        "TIMESTAMP '1970-01-01' + {} * INTERVAL '1 microsecond'",
        "{0} / power(10::numeric, {sku}.scale)",
        "(now() AT TIME ZONE 'UTC')::date - DATE '1970-01-01'",
        "SELECT 1 FROM json_array_elements(d.document::json -> 'statuses') s WHERE s ->> 'name' = a.status "
        "AND (s ->> 'allocatable')::boolean",
    ),
}

VIEWS: Final = ("skus", "balances", "units", "stock_balances", "transactions", "movements", "demand_lines", "promises")
"""In the order in which they are made."""

SERVED: Final = "(o.qty / COALESCE(x.given, 1) * COALESCE(x.asked, 1))"
"""What a promise counts for its line, in steps of the SKU that it asks for."""

EXCHANGED: Final = "LEFT JOIN exchange x ON x.tenant = o.tenant AND x.line_id = o.line_id AND x.sku_id = g.sku_id"
"""What `SERVED` reads, beside the promise and its goods."""

_SERIAL: Final = "COALESCE(n.value, NULLIF(g.serial, ''))"
_NUMBER: Final = (
    "LEFT JOIN number n ON n.tenant = g.tenant AND n.goods_id = g.goods_id AND n.kind = 'serial' "
    "AND n.until_seq IS NULL"
)


def statements(dialect: str) -> Iterator[str]:
    """The statements that make the views, for `sqlite` or `postgresql`."""
    words = _SPELLED[dialect]
    made = {
        "skus": _skus(),
        "balances": _balances(words),
        "units": _units(),
        "stock_balances": _stock_balances(),
        "transactions": _transactions(words),
        "movements": _movements(words),
        "demand_lines": _demand_lines(words),
        "promises": _promises(words),
    }
    for name in VIEWS:
        yield f"CREATE VIEW {name} AS {made[name]}"


def _blank(column: str) -> str:
    """A text that is not given is null to those who read."""
    return f"NULLIF({column}, '') AS {column.rpartition('.')[2]}"


def _account(alias: str, suffix: str = "") -> str:
    names = ("kind", "location", "status", "condition", "owner", "holder", "blocks")
    return ", ".join(f"NULLIF({alias}.{name}, '') AS {name}{suffix}" for name in names)


def _skus() -> str:
    return (
        "SELECT t.name AS tenant, k.sku, k.tracking, k.scale AS decimals, k.lifecycle, k.settings "
        "FROM sku k JOIN tenant t ON t.tenant = k.tenant"
    )


def _balances(words: _Words) -> str:
    usable = (
        "a.kind = 'stock' AND a.blocks = '' "
        f"AND (g.expires_on IS NULL OR g.expires_on >= {words.today}) AND EXISTS ({words.allocatable})"
    )
    return (
        f"SELECT t.name AS tenant, b.goods_id * {1 << ACCOUNT_BITS} + b.account_id AS stock_id, k.sku, "
        f"{_blank('g.lot')}, {_SERIAL} AS serial, {_account('a')}, {words.quantity('b.qty')} AS qty, "
        f"{words.quantity('b.reserved')} AS reserved, "
        f"CASE WHEN {usable} THEN {words.quantity('(b.qty - b.reserved)')} ELSE 0 END AS available, "
        f"{words.day.format('g.received_on')} AS received_on, {words.day.format('g.expires_on')} AS expires_on, "
        f"{_blank('g.stock_class')}, {_blank('g.unit_cost')} "
        "FROM balance b JOIN tenant t ON t.tenant = b.tenant "
        "JOIN goods g ON g.tenant = b.tenant AND g.goods_id = b.goods_id "
        "JOIN account a ON a.tenant = b.tenant AND a.account_id = b.account_id "
        "JOIN sku k ON k.tenant = b.tenant AND k.sku_id = b.sku_id "
        "JOIN lifecycle d ON d.tenant = k.tenant AND d.name = k.lifecycle AND d.seq = "
        "(SELECT MAX(e.seq) FROM lifecycle e WHERE e.tenant = k.tenant AND e.name = k.lifecycle) "
        f"{_NUMBER}"
    )


def _units() -> str:
    return (
        "SELECT tenant, sku, serial, lot, kind, location, status, condition, owner, holder, blocks, reserved, "
        "available, received_on, expires_on, stock_class, unit_cost FROM balances WHERE serial IS NOT NULL"
    )


def _stock_balances() -> str:
    def total(measure: str, test: str) -> str:
        return f"SUM(CASE WHEN {test} THEN {measure} ELSE 0 END)"

    ours = "owner IS NULL AND kind"
    return (
        f"SELECT tenant, sku, {total('qty', 'kind = ' + _quoted('stock'))} AS on_hand, "
        f"{total('reserved', 'kind = ' + _quoted('stock'))} AS reserved, SUM(available) AS available, "
        f"{total('qty', 'kind = ' + _quoted('stock') + ' AND blocks IS NOT NULL')} AS blocked, "
        f"{total('qty', 'kind = ' + _quoted('transit'))} AS in_transit, "
        f"{total('qty', ours + ' = ' + _quoted('customer'))} AS dispatched, "
        f"{total('qty', ours + ' = ' + _quoted('rental'))} AS rentals, "
        f"{total('qty', ours + ' IN (' + ', '.join(map(_quoted, OWNED)) + ')')} AS owned "
        "FROM balances GROUP BY tenant, sku"
    )


def _quoted(text: str) -> str:
    return f"'{text}'"


_SAID: Final = ("x.role", "x.approved_by", "x.document_kind", "x.document", "x.reason", "x.note")


def _heading(words: _Words) -> str:
    said = ", ".join(_blank(name) for name in _SAID)
    return (
        f"x.seq, x.type, {words.moment.format('x.recorded_at')} AS recorded_at, {words.day.format('x.day')} AS day, "
        f"x.actor, {said}"
    )


def _transactions(words: _Words) -> str:
    return (
        f"SELECT t.name AS tenant, {_heading(words)}, x.reverses, {_blank('x.details')}, x.entries "
        "FROM txn x JOIN tenant t ON t.tenant = x.tenant"
    )


def _movements(words: _Words) -> str:
    return (
        f"SELECT t.name AS tenant, {_heading(words)}, e.n, k.sku, {_blank('g.lot')}, {_SERIAL} AS serial, "
        f"{words.quantity('e.qty')} AS qty, {words.quantity('e.unreserved')} AS unreserved, "
        f"{words.quantity('e.reserved')} AS reserved, {_account('a', '_before')}, {_account('b', '_after')}, "
        f"{_blank('e.line_id')}, {_blank('e.details')} "
        "FROM entry e JOIN tenant t ON t.tenant = e.tenant "
        "JOIN txn x ON x.tenant = e.tenant AND x.seq = e.seq "
        "JOIN goods g ON g.tenant = e.tenant AND g.goods_id = e.goods_id "
        "JOIN sku k ON k.tenant = g.tenant AND k.sku_id = g.sku_id "
        "JOIN account a ON a.tenant = e.tenant AND a.account_id = e.from_id "
        "JOIN account b ON b.tenant = e.tenant AND b.account_id = e.to_id "
        f"{_NUMBER}"
    )


def _demand_lines(words: _Words) -> str:
    qty = {name: words.quantity(f"l.{name}") for name in ("qty", "allocated", "shipped", "returned")}
    still = words.quantity("(l.qty - l.allocated - l.shipped)")
    return (
        f"SELECT t.name AS tenant, l.line_id, l.order_id, k.sku, {qty['qty']} AS requested, "
        f"{qty['allocated']} AS allocated, {qty['shipped']} AS shipped, {qty['returned']} AS returned, "
        f"{still} AS short, {_blank('l.details')} "
        "FROM line l JOIN tenant t ON t.tenant = l.tenant JOIN sku k ON k.tenant = l.tenant AND k.sku_id = l.sku_id"
    )


def _promises(words: _Words) -> str:
    return (
        f"SELECT t.name AS tenant, o.allocation_id, o.line_id, l.order_id, k.sku, {_blank('g.lot')}, "
        f"{_SERIAL} AS serial, {_blank('a.location')}, {words.quantity('o.qty')} AS qty, "
        f"{words.quantity(SERVED, 's')} AS qty_served, o.stage, {words.moment.format('o.expires_at')} AS expires_at "
        "FROM allocation o JOIN tenant t ON t.tenant = o.tenant "
        "JOIN line l ON l.tenant = o.tenant AND l.line_id = o.line_id "
        "JOIN sku s ON s.tenant = l.tenant AND s.sku_id = l.sku_id "
        "JOIN goods g ON g.tenant = o.tenant AND g.goods_id = o.goods_id "
        "JOIN sku k ON k.tenant = g.tenant AND k.sku_id = g.sku_id "
        "JOIN account a ON a.tenant = o.tenant AND a.account_id = o.account_id "
        f"{EXCHANGED} {_NUMBER}"
    )
