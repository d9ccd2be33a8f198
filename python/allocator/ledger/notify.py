"""What has to be told to whom: new transactions, turned into notifications by rules (SN-22). Others deliver them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from allocator.ledger.given import check
from allocator.ledger.history import events
from allocator.ledger.snapshot import At, snapshot
from allocator.model.notices import Notice, Notices

if TYPE_CHECKING:
    from allocator.ledger.questions import Questions

_TOLD: Final = (
    "seq", "at", "event", "type", "subject", "sku", "lot", "serial", "qty", "status_before", "status_after",
    "location_after", "holder_after", "document", "reason", "note", "actor",
)  # fmt: skip

NOTIFICATION: Final[dict[str, Any]] = {"urgent": pl.Boolean, "to": pl.String, "notice": pl.String}


def notifications(ledger: Questions, rules: Notices, *, since: At, until: At = None) -> pl.DataFrame:
    """What has to be told of the transactions after a moment.

    The same transactions and rules always give the same rows: whoever delivers keeps the last `seq` that was told, and
    asks again from there, so that nothing is lost and nothing is told twice.

    Args:
        ledger: The ledger.
        rules: Whom to tell of what.
        since: After this moment: mostly the number of the last transaction that was told.
        until: Up to this moment.

    Returns:
        One row per event, rule and receiver, urgent ones first, then in order: `urgent`, `to`, `notice` (the rule),
        `seq`, `at`, `event`, `type`, `subject`, `sku`, `lot`, `serial`, `qty`, `status_before`, `status_after`,
        `location_after`, `holder_after`, `document`, `reason`, `note`, `actor`. Of the same event, a receiver is told
        once, by the first rule that holds.

    Raises:
        InputError: `argument_value`, `transaction_unknown`.
    """
    check("notices", notices=rules)
    with snapshot(ledger, since) as moment:
        begun = moment.seq
    with snapshot(ledger, until) as moment:
        return told(events(moment, "span", since=begun), rules)


def told(happened: pl.DataFrame, rules: Notices) -> pl.DataFrame:
    """What has to be told of events, as of `Ledger.history`: a pure function."""
    numbered = happened.with_row_index("event_no")
    parts = [_of(numbered, notice, n) for n, notice in enumerate(rules.notices)]
    schema = NOTIFICATION | {name: numbered.schema[name] for name in _TOLD}
    if not parts:
        return pl.DataFrame(schema=schema)
    every = pl.concat(parts).filter(pl.col("to").is_not_null())
    once = every.sort("event_no", "rule_no", maintain_order=True).unique(
        ["event_no", "to"], keep="first", maintain_order=True
    )
    return once.sort("urgent", "event_no", descending=[True, False], maintain_order=True).select(list(schema))


def _of(happened: pl.DataFrame, notice: Notice, number: int) -> pl.DataFrame:
    """The events that a rule is about, once for each receiver."""
    found = happened.filter(_about(notice))
    who = [pl.lit(name) if not name.startswith("$") else _party(name) for name in notice.to]
    copies = [
        found.with_columns(to=each, urgent=pl.lit(notice.urgent), notice=pl.lit(notice.name), rule_no=pl.lit(number))
        for each in who
    ]
    return pl.concat(copies)


def _party(name: str) -> pl.Expr:
    """Who has the goods, or whose they are: after it, or before if nobody is any more."""
    part = name[1:]
    return pl.coalesce(f"{part}_after", f"{part}_before") if part in ("holder", "owner") else pl.lit(name)


def _about(notice: Notice) -> pl.Expr:
    """Whether an event is one that the rule names."""
    tests = [pl.lit(value=True)]
    for column, values in (("event", notice.events), ("type", notice.types), ("subject", notice.subjects),
                           ("reason", notice.reasons), ("sku", notice.skus)):  # fmt: skip
        if values:
            tests.append(pl.col(column).is_in(list(values)))
    if notice.statuses:
        came = pl.col("status_after").ne_missing(pl.col("status_before"))
        tests.append(pl.col("status_after").is_in(list(notice.statuses)) & came)
    if notice.locations:
        tests.append(pl.any_horizontal(_within(column, place) for place in notice.locations
                                       for column in ("location_before", "location_after")))  # fmt: skip
    return pl.all_horizontal(tests).fill_null(value=False)


def _within(column: str, place: str) -> pl.Expr:
    return (pl.col(column) == place) | pl.col(column).str.starts_with(f"{place}/")
