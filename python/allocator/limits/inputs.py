"""The way in: reads the tables of a call, puts all rules together, and reports what does not fit together."""

from __future__ import annotations

import datetime as dt
from typing import Any

import polars as pl

from allocator.errors import InputError, Problem
from allocator.frames.findings import Check, Findings
from allocator.limits.read import read
from allocator.limits.rules import merge
from allocator.model.limits import Limits


def prepare(limits: Limits, as_of: dt.date, **given: Any) -> tuple[dict[str, pl.DataFrame], int]:  # noqa: ANN401
    """The tables of a call in canonical form; `rules` has those of the document too. And the scale of their quantities.

    Raises:
        InputError: Every problem of the arguments, of every table, and between tables.
    """
    findings = Findings()
    problems = findings.problems
    if not isinstance(limits, Limits):
        hint = "Read them with Limits.load, or make them with Limits(...)"
        problems.append(Problem("argument_type", "limits is not a Limits", value=type(limits).__name__, hint=hint))
    if not isinstance(as_of, dt.date) or isinstance(as_of, dt.datetime):
        hint = "Give a datetime.date: the clock is never read"
        problems.append(Problem("argument_type", "as_of is not a date", value=type(as_of).__name__, hint=hint))
    tables, scale = read(given, findings)
    _reserved_above_on_hand(tables["stock"], findings)
    if "requests" in tables:
        _already_open(tables["requests"], tables["open_requests"], findings)
    if isinstance(limits, Limits):
        tables["rules"] = merge(limits, tables["rules"], scale, problems)
    if problems:
        raise InputError(problems)
    return tables, scale


def _reserved_above_on_hand(stock: pl.DataFrame, findings: Findings) -> None:
    if not (stock["qty_reserved"] > stock["qty_on_hand"]).any():
        return
    above = (pl.col("qty_reserved") > pl.col("qty_on_hand")) & (pl.col("qty_on_hand") >= 0)
    findings.run(
        "stock", stock, [Check("reserved_above_on_hand", "qty_reserved", above, "more is reserved than is on hand")]
    )


def _already_open(requests: pl.DataFrame, open_requests: pl.DataFrame, findings: Findings) -> None:
    """A request that is also among the open ones would be counted against itself."""
    if open_requests["request_id"].null_count() == open_requests.height:
        return
    twice = pl.col("request_id").is_in(open_requests["request_id"].implode())
    message = "the request is also in open_requests, where it counts against itself"
    findings.run("requests", requests, [Check("request_already_open", "request_id", twice, message)])
