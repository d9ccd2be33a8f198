"""The tables of replenishment: which columns they have, and what a value may be. `docs/limits.md` is for people."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import polars as pl

from allocator.model.limits import MONEY_SCALE

KEY = ("bu", "asp", "sku")
MOVING = ("stock", "in_transit", "open_requests")
"""What a position is the sum of."""
MONEY = pl.Decimal(38, MONEY_SCALE)
Kind = Literal["key", "text", "qty", "count", "order", "money", "flag", "day", "moment"]


@dataclass(frozen=True)
class Form:
    """How values of one kind are held, and which dtypes are taken for them without loss."""

    dtype: pl.DataType
    wanted: str
    fits: Callable[[pl.DataType], bool]


def _is_text(dtype: pl.DataType) -> bool:
    return isinstance(dtype, pl.String | pl.Categorical | pl.Enum)


def _is_local_time(dtype: pl.DataType) -> bool:
    return isinstance(dtype, pl.Datetime) and dtype.time_zone is None


_INTEGER = Form(pl.Int64(), "an integer dtype", lambda dtype: dtype.is_integer())
_QUANTITY = Form(pl.Int64(), "an integer dtype or Decimal", lambda dtype: dtype.is_integer() or dtype.is_decimal())
"""Held as whole numbers of the smallest step that any table has: 10^-scale base units."""
FORMS: Mapping[Kind, Form] = {
    "key": Form(pl.String(), "String or an integer dtype", lambda dtype: _is_text(dtype) or dtype.is_integer()),
    "text": Form(pl.String(), "String", _is_text),
    "qty": _QUANTITY,
    "count": _QUANTITY,
    "order": _INTEGER,
    "money": Form(MONEY, "Decimal or an integer dtype", lambda dtype: dtype.is_decimal() or dtype.is_integer()),
    "flag": Form(pl.Boolean(), "Boolean", lambda dtype: dtype == pl.Boolean),
    "day": Form(
        pl.Date(), "Date, or Datetime without a time zone", lambda dtype: dtype == pl.Date or _is_local_time(dtype)
    ),
    "moment": Form(pl.Datetime("us"), "Date or Datetime", lambda dtype: dtype in (pl.Date, pl.Datetime)),
}


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes:
        kind: `key` and `text` are strings (a key may be an integer), `qty` is 0 or more units, `count` 1 step or more,
            `order` any integer, `money` an exact amount of 0 or more, `flag` a Boolean, `day` a date,
            `moment` a date or a time (a time with a zone counts in UTC).
        required: Whether the column must be there.
        nullable: Whether single rows may be null.
        default: The value of every row when the column is not there.
        unique: Whether no value may come twice.
    """

    kind: Kind
    required: bool = False
    nullable: bool = False
    default: Any = None
    unique: bool = False


_KEYS = {name: Column("key", required=True) for name in KEY}
TABLES: Mapping[str, Mapping[str, Column]] = {
    "stock": _KEYS
    | {
        "qty_on_hand": Column("qty", required=True),
        "qty_reserved": Column("qty", default=0),
        "status": Column("text", nullable=True, default="available"),
        "condition": Column("text", nullable=True, default="new"),
        "blocked": Column("flag", default=False),
        "received_on": Column("day", nullable=True),
        "expires_on": Column("day", nullable=True),
        "unit_cost": Column("money", nullable=True),
        "stock_id": Column("key", nullable=True, unique=True),
    },
    "in_transit": _KEYS | {"qty": Column("qty", required=True), "unit_cost": Column("money", nullable=True)},
    "open_requests": _KEYS
    | {
        "qty": Column("qty", required=True),
        "unit_cost": Column("money", nullable=True),
        "request_id": Column("key", nullable=True, unique=True),
    },
    "requests": {"request_id": Column("key", required=True, unique=True)}
    | _KEYS
    | {
        "qty": Column("count", required=True),
        "priority": Column("order", default=0),
        "requested_at": Column("moment", nullable=True),
        "override_role": Column("text", nullable=True),
        "override_reason": Column("text", nullable=True),
    },
    "skus": {
        "sku": Column("key", required=True, unique=True),
        "sku_group": Column("key", nullable=True),
        "unit_cost": Column("money", nullable=True),
        "pack": Column("count", nullable=True),
    },
    "assortment": _KEYS,
    "rules": {
        "name": Column("text", nullable=True, unique=True),
        "bu": Column("key", nullable=True),
        "asp": Column("key", nullable=True),
        "sku_group": Column("key", nullable=True),
        "sku": Column("key", nullable=True),
        "units_max": Column("qty", nullable=True),
        "value_max": Column("money", nullable=True),
        "trigger": Column("qty", nullable=True),
        "pack": Column("count", nullable=True),
        "rounding": Column("text", nullable=True),
    },
}
REQUIRED = ("stock", "requests")
"""Tables that must be given; the others may be None."""
