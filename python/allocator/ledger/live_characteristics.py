"""What a policy asks of units beyond the columns of stock: their characteristics, each of the type its SKU declares."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import polars as pl

from allocator.errors import InputError, Problem
from allocator.ledger.book import Book
from allocator.ledger.characteristics import rank_of, read
from allocator.ledger.records import Sku
from allocator.model.order import RANK_KEYS, OrderKey
from allocator.model.policy import AttributeRule, Policy
from allocator.model.tables import STOCK

COMPUTED: Final = frozenset({*RANK_KEYS, "distance", "qty_available"})
DTYPES: Final[Mapping[str, Any]] = {"text": pl.String, "integer": pl.Int64, "day": pl.Date, "version": pl.String}


def with_characteristics(
    book: Book, skus: Iterable[Sku], stock: pl.DataFrame, goods: Sequence[int], policy: Policy
) -> tuple[pl.DataFrame, Policy]:
    """The stock with a column for each characteristic that the policy names, and the policy that reads them.

    Versions are compared as such by rules, and ordered by rank: as text, 2.10 would come before 2.9. A name that no SKU
    declares and no unit has stays unknown, and is refused as for any table.

    Args:
        book: What the ledger holds.
        skus: The SKUs that are decided on.
        stock: Their stock rows.
        goods: The goods of each row.
        policy: The policy.

    Raises:
        InputError: `setting_conflict`: two of the SKUs mean different things by a name.
    """
    ordered = {key.column for key in policy.stock_order}
    named = ({rule.column for rule in policy.attributes} | ordered) - COMPUTED - STOCK.keys()
    if not named:
        return stock, policy
    types = _types(skus, named)
    values = book.values(named, goods)
    known = {name: types.get(name, "text") for name in sorted(named & (types.keys() | {key[1] for key in values}))}
    ranked = {name: f"{name} rank" for name, type_ in known.items() if type_ == "version" and name in ordered}
    made = []
    for name, type_ in known.items():
        column = [read(type_, values.get((number, name))) for number in goods]
        made.append(pl.Series(name, column, DTYPES[type_]))
        if name in ranked:
            made.append(pl.Series(ranked[name], _ranks(column), pl.Int64))
    rules = tuple(_rule(rule, known) for rule in policy.attributes)
    keys = tuple(_key(key, ranked) for key in policy.stock_order)
    return stock.with_columns(made), policy.model_copy(update={"attributes": rules, "stock_order": keys})


def days_of_demand(policy: Policy, skus: Iterable[Sku]) -> set[str]:
    """The demand columns that are compared with characteristics which are days."""
    types = _types(skus, {rule.column for rule in policy.attributes})
    return {
        name
        for rule in policy.attributes
        if types.get(rule.column) == "day"
        for name in (rule.demand_column, *(rule.demand_columns or ()))
        if name is not None
    }


def day_if_text(value: object) -> object:
    """A day that was written down, as a recorded line has it."""
    if not isinstance(value, str):
        return value
    try:
        return dt.date.fromisoformat(value)
    except ValueError:
        return value


def _types(skus: Iterable[Sku], named: set[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    problems = []
    for sku in skus:
        for name in sorted(named & sku.kept.characteristics.keys()):
            type_ = sku.kept.characteristics[name].type
            if found.setdefault(name, type_) != type_:
                message = f"{sku.sku} says it as {type_}, another SKU of these lines as {found[name]}"
                problems.append(Problem("setting_conflict", message, "skus", f"characteristics.{name}"))
    if problems:
        raise InputError(problems)
    return found


def _ranks(versions: Sequence[str | None]) -> list[int | None]:
    place = {rank: n for n, rank in enumerate(sorted({rank_of(version) for version in versions if version}))}
    return [place[rank_of(version)] if version else None for version in versions]


def _rule(rule: AttributeRule, types: Mapping[str, str]) -> AttributeRule:
    return rule.model_copy(update={"compare": "version"}) if types.get(rule.column) == "version" else rule


def _key(key: OrderKey, ranked: Mapping[str, str]) -> OrderKey:
    return key.model_copy(update={"column": ranked[key.column]}) if key.column in ranked else key
