"""The contract of the tables: which columns there are, of which kind, and what an absent or null value means.

Plain data, read by the checks in `frames/`, by `docs/tables.md` and by the command line. Any further column
is kept, and may be named by a policy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["id", "key", "text", "path", "quantity", "integer", "day", "moment", "flag", "money"]

KINDS: Final[Mapping[Kind, str]] = {
    "id": "String, Enum, Categorical or any integer; unique",
    "key": "String, Enum, Categorical or any integer",
    "text": "String, Enum or Categorical",
    "path": "String, Enum or Categorical; levels divided by `/`, none of them empty",
    "quantity": "any integer, or Decimal; at least 0",
    "integer": "any integer",
    "day": "Date, or Datetime without a time zone at midnight; year 1 to 9999",
    "moment": "Datetime or Date; year 1 to 9999",
    "flag": "Boolean",
    "money": "Decimal or any integer",
}
"""What a column of each kind may hold."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    Attributes:
        name: Its name.
        kind: What it holds; a key of `KINDS`.
        meaning: One sentence.
        unit: Unit of its numbers; "" where there is none.
        required: Whether the table must have it.
        nullable: Whether a value may be null.
        absent: What a row holds where the table has no such column: a value, or another column as `=name`.
        null: What a null means, where one is allowed.
    """

    name: str
    kind: Kind
    meaning: str
    unit: str = ""
    required: bool = False
    nullable: bool = False
    absent: str | int | bool | None = None
    null: str = ""


def _table(*columns: Column) -> Mapping[str, Column]:
    return {column.name: column for column in columns}


def _required(name: str, kind: Kind, meaning: str, unit: str = "") -> Column:
    return Column(name, kind, meaning, unit, required=True)


def _default(name: str, kind: Kind, meaning: str, absent: str | int | bool, unit: str = "") -> Column:
    return Column(name, kind, meaning, unit, absent=absent)


def _optional(
    name: str, kind: Kind, meaning: str, null: str, unit: str = "", *, absent: str | int | bool | None = None
) -> Column:
    return Column(name, kind, meaning, unit, nullable=True, absent=absent, null=null)


STOCK: Final = _table(
    _required("stock_id", "id", "Identifies the row."),
    _required("sku", "key", "The stock-keeping item."),
    _optional("location", "path", "Where it is.", "at no place: serves lines that name none, or with scope `any`"),
    _required("qty_on_hand", "quantity", "Units physically there.", "base units, or `unit`"),
    _default("qty_reserved", "quantity", "Units of these already promised.", 0, "base units, or `unit`"),
    _optional("received_on", "day", "Day of receipt; after `as_of` it is inbound.", "received, day unknown", "day"),
    _optional("expires_on", "day", "Expiry day.", "never expires", "day"),
    _optional("lot", "key", "Units received or made together.", "no lot number: a lot of its own"),
    _optional("serial", "key", "The one unit that the row is; then the quantity is 0 or 1.", "not serialized"),
    _optional("owner", "key", "Who owns it, if not the business.", "the business's own"),
    _optional(
        "condition", "text", "As `new`, `repaired`, `used`, `defective`.", "in no list of a policy", absent="new"
    ),
    _optional("status", "text", "Its status in the lifecycle.", "in no list of a policy", absent="available"),
    _default("blocked", "flag", "Whether it is blocked.", False),
    _optional("stock_class", "text", "What the contract matrix looks at.", "matched by no selector"),
    _optional("unit_cost", "money", "Value of one base unit.", "unknown", "currency of the business"),
    _optional("unit", "text", "Unit of measure of the row's quantities, as the policy names it.", "the base unit"),
)
"""One row per serialized unit, or per balance of a lot at a place."""

DEMAND: Final = _table(
    _required("line_id", "id", "Identifies the line."),
    _default("order_id", "key", "The order that the line belongs to.", "=line_id"),
    _required("sku", "key", "The item asked for."),
    _required("qty", "quantity", "Units asked for.", "base units, or `unit`"),
    _optional("location", "path", "The place to be served from, with all below it.", "any place"),
    _optional("priority", "integer", "Lower is served first.", "placed by the order's `nulls`", absent=0),
    _optional("requested_at", "moment", "When it was asked.", "placed by the order's `nulls`", "time"),
    _optional("needed_on", "day", "Day on which it is needed.", "as `as_of`; no inbound rows", "day"),
    _optional("contract_type", "text", "Who pays.", "no contract"),
    _optional("customer", "key", "Who asks.", "no minimum shelf life by customer"),
    _optional("lot", "key", "The lot that must serve it.", "any lot"),
    _optional("serial", "key", "The unit that must serve it.", "any unit"),
    _optional("min_shelf_life_days", "integer", "Least remaining shelf life.", "no minimum of its own", "days"),
    _optional("owner", "key", "Whose stock it may take, under the policy's owner rule.", "no owner"),
    _optional("fill", "text", "Name of a fill rule of the policy.", "the policy's `fill`"),
    _optional("bu", "text", "Business unit.", "matched by no selector"),
    _optional("sku_group", "text", "Group of the SKU.", "in no group"),
    _optional("unit", "text", "Unit of measure of the line's quantities, as the policy names it.", "the base unit"),
)
"""One row per line of an order, indent or request."""

TABLES: Final[Mapping[str, Mapping[str, Column]]] = {"stock": STOCK, "demand": DEMAND}
"""The tables by name."""

CURRENT: Final = _table(
    _required("line_id", "key", "The line that has it."),
    _required("stock_id", "key", "The stock row it is from."),
    _required("qty", "quantity", "Units of the stock row.", "base units"),
    _default("qty_served", "quantity", "Units of the line.", "=qty", "base units"),
    _optional("stage", "text", "How far it has come.", "open", absent="open"),
)
"""One row per line and stock row that it has something of, as `Result.allocations`."""
