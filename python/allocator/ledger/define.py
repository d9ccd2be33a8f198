"""Setting up SKUs and lifecycles."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from allocator.errors import InputError, PolicyError, Problem
from allocator.ledger.book import Book
from allocator.ledger.lines import Unfit, shown, text
from allocator.ledger.records import Heading
from allocator.model.document import did_you_mean
from allocator.model.lifecycle import Lifecycle
from allocator.model.sku import SkuSettings

TRACKING: Final = ("none", "lot", "serial", "both")
DEFAULTS: Final = {"none": "lot", "lot": "lot", "serial": "serial", "both": "serial"}
"""The lifecycle of a SKU that names none, by how it is tracked."""


def define(book: Book, heading: Heading, skus: Sequence[Mapping[str, Any]], lifecycles: Sequence[Lifecycle]) -> int:
    """Adds one transaction that sets up SKUs and lifecycles; its number.

    Raises:
        InputError: Every problem of every SKU.
    """
    session, tenant = book.session, book.tenant
    named = {lifecycle.name: lifecycle for lifecycle in lifecycles}
    known = {
        row[0] for row in session.rows("SELECT DISTINCT name FROM lifecycle WHERE tenant = :tenant", {"tenant": tenant})
    }
    rows, problems = [], []
    for number, given in enumerate(skus):
        try:
            rows.append(_row(given, named, known))
        except InputError as error:
            problems += [Problem(p.code, p.message, "skus", p.column, number, p.value, p.hint) for p in error.problems]
    book.catalog.load_skus(session, {row["sku"] for row in rows})
    problems += [*_changed(book, rows), *_given_twice(rows), *_statuses_lost(book, rows, named)]
    if problems:
        raise InputError(problems)
    said = json.dumps(
        {"skus": rows, "lifecycles": {n: each.fingerprint() for n, each in named.items()}}, sort_keys=True
    )
    with book.transaction(heading._replace(details=said)) as seq:
        _write(book, seq, rows, named)
    book.catalog.refresh(session, 0, seq)
    book.known.shelves.clear()
    return seq


def _row(given: Mapping[str, Any], named: dict[str, Lifecycle], known: set[str]) -> dict[str, Any]:
    problems = []
    said = dict(given)
    try:
        sku = text(said.pop("sku", ""))
    except Unfit as unfit:
        sku = ""
        problems.append(Problem(unfit.code, str(unfit), column="sku"))
    tracking = said.pop("tracking", "none")
    if not isinstance(tracking, str) or tracking not in TRACKING:
        hint = did_you_mean(shown(tracking), list(TRACKING)) or f"There are {', '.join(TRACKING)}"
        problems.append(
            Problem("setting_value", "a SKU is not tracked so", column="tracking", value=shown(tracking), hint=hint)
        )
        tracking = "none"
    scale = said.pop("scale", 0)
    if (
        not isinstance(scale, int)
        or isinstance(scale, bool)
        or not 0 <= scale <= 9
        or (scale and tracking in ("serial", "both"))
    ):
        problems.append(
            Problem(
                "setting_value",
                "a scale is a number from 0 to 9, and 0 for units",
                column="scale",
                value=shown(scale),
            )
        )
    lifecycle = said.pop("lifecycle", DEFAULTS[tracking])
    if not isinstance(lifecycle, str) or (lifecycle not in named and lifecycle not in known):
        if lifecycle in Lifecycle.presets():
            named[lifecycle] = Lifecycle.load(lifecycle)
        else:
            names = sorted({*named, *known, *Lifecycle.presets()})
            hint = did_you_mean(shown(lifecycle), names) or f"There are {', '.join(names)}"
            problems.append(
                Problem(
                    "setting_value",
                    "there is no such lifecycle",
                    column="lifecycle",
                    value=shown(lifecycle),
                    hint=hint,
                )
            )
    settings: dict[str, Any] = {}
    try:
        kept = SkuSettings(**{str(name): value for name, value in said.items()})
        settings = kept.plain()
        json.dumps(settings)
        if kept.number is not None and tracking not in ("serial", "both"):
            message = "a format of serials is given for what has none"
            problems.append(Problem("setting_conflict", message, column="number", value=tracking))
    except PolicyError as error:
        problems += [_known(problem) for problem in error.problems]
    except (TypeError, ValueError):
        message = "a setting is a text, a number, true, false, or a list or table of them"
        problems.append(Problem("setting_type", message, column="custom"))
    if problems:
        raise InputError(problems)
    return {"sku": sku, "tracking": tracking, "scale": scale, "lifecycle": lifecycle, "settings": settings}


def _known(problem: Problem) -> Problem:
    """Says which settings there are, where one is not among them."""
    if problem.code != "setting_unknown" or problem.hint or "." in problem.column:
        return problem
    return replace(problem, hint=f"There are {', '.join(SkuSettings.model_fields)}; yours go into custom")


def _changed(book: Book, rows: Sequence[Mapping[str, Any]]) -> list[Problem]:
    """What goods were recorded by can not be changed any more."""
    problems = []
    for number, row in enumerate(rows):
        found = book.catalog.find(row["sku"])
        for name in ("tracking", "scale"):
            if found and getattr(found, name) != row[name]:
                message = f"{found.sku} was set up with {getattr(found, name)}"
                hint = "Set up another SKU, and move the stock there"
                problems.append(Problem("setting_conflict", message, "skus", name, number, str(row[name]), hint))
    return problems


def _given_twice(rows: Sequence[Mapping[str, Any]]) -> list[Problem]:
    names = [row["sku"] for row in rows]
    first = {name: number for number, name in reversed(list(enumerate(names)))}
    return [
        Problem("id_duplicate", "the SKU is there twice", "skus", "sku", number, name)
        for number, name in enumerate(names)
        if first[name] != number
    ]


def _statuses_lost(book: Book, rows: Sequence[Mapping[str, Any]], named: Mapping[str, Lifecycle]) -> list[Problem]:
    """Goods that are in a status which the lifecycle that is to be in force does not know."""
    sql = (
        "SELECT DISTINCT s.sku, s.lifecycle, a.status FROM balance b "
        "JOIN sku s ON s.tenant = b.tenant AND s.sku_id = b.sku_id "
        "JOIN account a ON a.tenant = b.tenant AND a.account_id = b.account_id "
        "WHERE b.tenant = :tenant AND (s.sku = ANY(:names) OR s.lifecycle = ANY(:keys))"
    )
    found = book.session.rows(
        sql, {"tenant": book.tenant, "names": [row["sku"] for row in rows], "keys": sorted(named)}
    )
    wanted: dict[str, str] = {row["sku"]: row["lifecycle"] for row in rows}
    problems = []
    for sku, lifecycle, status in sorted(found):
        name = wanted[sku] if sku in wanted else str(lifecycle)
        known = named.get(name) or book.catalog.lifecycle(name)
        if status not in known.state_of:
            message = f"goods of {sku} are {status}, which {name} does not know"
            hint = "Keep the status in the lifecycle, or change the goods first"
            problems.append(Problem("status_unknown", message, "lifecycles", name, value=status, hint=hint))
    return problems


def _write(book: Book, seq: int, rows: Sequence[Mapping[str, Any]], lifecycles: Mapping[str, Lifecycle]) -> None:
    session, tenant = book.session, book.tenant
    session.insert("lifecycle", ("tenant", "name", "seq", "document"),
                   [(tenant, name, seq, each.dumps("json")) for name, each in lifecycles.items()])  # fmt: skip
    last = session.rows("SELECT sku_last FROM tenant WHERE tenant = :tenant", {"tenant": tenant})[0][0]
    new = []
    for row in {row["sku"]: row for row in rows}.values():
        found = book.catalog.find(row["sku"])
        settings = json.dumps(row["settings"], sort_keys=True)
        if found is None:
            last += 1
            new.append((tenant, last, row["sku"], row["tracking"], row["scale"], row["lifecycle"], settings))
        else:
            session.run(
                "UPDATE sku SET lifecycle = :lifecycle, settings = :settings "
                "WHERE tenant = :tenant AND sku_id = :number",
                {"lifecycle": row["lifecycle"], "settings": settings, "tenant": tenant, "number": found.sku_id},
            )
    session.insert("sku", ("tenant", "sku_id", "sku", "tracking", "scale", "lifecycle", "settings"), new)
    session.run(
        "UPDATE tenant SET sku_last = :last, sku_version = :seq WHERE tenant = :tenant",
        {"last": last, "seq": seq, "tenant": tenant},
    )
