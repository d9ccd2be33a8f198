"""Orders: in which sequence lines are served, and in which sequence a line looks at stock.

An order is a list of keys. It is made total by appending the table's id, so that two runs on the same
content can never differ. Standard orders have names; a name is short for the list of keys shown in
`DEMAND_ORDERS` and `STOCK_ORDERS`, which can be copied and changed.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from allocator.model.document import Name, Part

RANK_KEYS = ("source_rank", "substitute_rank", "contract_rank", "owner_rank")
"""Keys of a stock order that depend on the line, in the order in which they lead when an order does not name them."""


class OrderKey(Part):
    """One key of an order.

    Written in full as `{column = "expires_on", descending = false, nulls = "last"}`, or as the column's name
    alone, which means ascending with nulls last.

    Attributes:
        column: A column of the table that is ordered (any dtype that can be ordered: integer, date, datetime,
            string, boolean, decimal). In a stock order also a computed key: `source_rank`, `substitute_rank`,
            `contract_rank`, `owner_rank` (0 is best) or `distance` (steps between the line's place and the
            row's, or as listed in the policy's distances).
        descending: Whether the greatest value comes first. Nulls are placed by `nulls` either way.
        nulls: Where rows without a value go.
    """

    column: Name
    descending: Annotated[bool, Field(strict=True)] = False
    nulls: Literal["first", "last"] = "last"

    def __str__(self) -> str:
        """The key in words, such as `expires_on descending, nulls first`."""
        return f"{self.column}{' descending' if self.descending else ''}, nulls {self.nulls}"


def _key(value: object) -> object:
    return {"column": value} if isinstance(value, str) else value


Key = Annotated[OrderKey, BeforeValidator(_key, json_schema_input_type=OrderKey | Name)]


def _keys(*columns: str) -> tuple[OrderKey, ...]:
    """Keys from short notation: `-column` is descending."""
    return tuple(OrderKey(column=c.removeprefix("-"), descending=c.startswith("-")) for c in columns)


DEMAND_ORDERS: dict[str, tuple[OrderKey, ...]] = {
    "priority": _keys("priority", "requested_at"),
    "first_come": _keys("requested_at", "priority"),
    "needed_first": _keys("priority", "needed_on", "requested_at"),
    "strictest_shelf_life": _keys("priority", "-shelf_life_days_min", "requested_at"),
}
"""Named demand orders. `shelf_life_days_min` is computed: the minimum that the policy asks for the line."""

STOCK_ORDERS: dict[str, tuple[OrderKey, ...]] = {
    "fifo": _keys("received_on"),
    "lifo": _keys("-received_on"),
    "fefo": _keys("expires_on", "received_on"),
    "nearest": _keys("distance", "received_on"),
    "smallest_first": _keys("qty_available", "received_on"),
    "largest_first": _keys("-qty_available", "received_on"),
    "fewest_rows": _keys("-qty_available"),
}
"""Named stock orders. `qty_available` is computed: on hand less reserved, as the run begins."""
