"""The way in: reads the tables of a call, puts all rules together, and reports what does not fit together."""

from __future__ import annotations

import datetime as dt
from typing import Any

import polars as pl

from allocator.errors import InputError, Problem
from allocator.limits.read import read, rows_where
from allocator.limits.rules import merge
from allocator.model.limits import Limits


def prepare(limits: Limits, as_of: dt.date, **given: Any) -> dict[str, pl.DataFrame]:  # noqa: ANN401 - anything tabular
    """The tables of a call in canonical form; `rules` has those of the document too.

    Raises:
        InputError: Every problem of the arguments, of every table, and between tables.
    """
    problems: list[Problem] = []
    if not isinstance(limits, Limits):
        hint = "Read them with Limits.load, or make them with Limits(...)"
        problems.append(Problem("argument_type", "limits is not a Limits", value=type(limits).__name__, hint=hint))
    if not isinstance(as_of, dt.date) or isinstance(as_of, dt.datetime):
        hint = "Give a datetime.date: the clock is never read"
        problems.append(Problem("argument_type", "as_of is not a date", value=type(as_of).__name__, hint=hint))
    tables = read(given, problems)
    _reserved_above_on_hand(tables["stock"], problems)
    if "requests" in tables:
        _already_open(tables["requests"], tables["open_requests"], problems)
    if isinstance(limits, Limits):
        tables["rules"] = merge(limits, tables["rules"], problems)
    if problems:
        raise InputError(problems)
    return tables


def _reserved_above_on_hand(stock: pl.DataFrame, problems: list[Problem]) -> None:
    above = (stock["qty_reserved"] > stock["qty_on_hand"]) & (stock["qty_on_hand"] >= 0)
    message = "more is reserved than is on hand"
    problems += rows_where(above, "reserved_above_on_hand", message, "stock", stock["qty_reserved"])


def _already_open(requests: pl.DataFrame, open_requests: pl.DataFrame, problems: list[Problem]) -> None:
    """A request that is also among the open ones would be counted against itself."""
    twice = requests["request_id"].is_in(open_requests["request_id"].implode())
    message = "the request is also in open_requests, where it counts against itself"
    problems += rows_where(twice, "request_already_open", message, "requests", requests["request_id"])
