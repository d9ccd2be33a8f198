"""Every public function that takes a ledger, with arguments that make no sense: an answer, or one typed error."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

import allocator.ledger
from allocator.errors import AllocatorError
from allocator.ledger import Ledger
from allocator.ledger.orders import STAGES
from allocator.ledger.verify import verify
from allocator.model.notices import Notices
from allocator.model.retention import Retention, RetentionRule
from ledger_stores import STRANGE, TODAY, receive

ring: dict[str, Any] = {}
ring["ring"] = ring
deep: list[Any] = []
for _ in range(3_000):
    deep = [deep]

STRANGER = [
    *STRANGE, ring, deep, pl.DataFrame({"sku": [1, 2]}), pl.Series([1.5]), {("a",): 1}, 10**5_000, -(10**400),
    Decimal("sNaN"), Decimal("NaN"), "x" * 20_000, " x ", int, {"a": "\ud800"}, Ledger,
]  # fmt: skip
"""More of it."""

VALUES: dict[str, Any] = {
    "serial": "G-1", "by": "retire", "sku": "gauge", "actor": "ana", "document": "D-1", "reason": "count", "on": TODAY,
    "day": TODAY, "location": "yard", "to_location": "shelf", "customer": "acme", "subscription": "S-1",
    "service": "wifi", "usage": {"gb": "3"}, "meter": "km", "reading": 5, "result": "fine", "inspector": "joe",
    "disposition": "restock", "owner": "acme", "carrier": "dhl", "stage": "processing", "stages": STAGES,
    "event": "repair", "details": {"work": "new seal"}, "lines": [{"serial": "G-1"}], "allocation_id": 1, "since": 0,
    "source": {"sku": ["gauge"], "serial": ["G-9"], "location": ["yard"]}, "origin": "supplier", "rules": None,
    "numbers": ["G-9"], "outcome": "keep",
}  # fmt: skip
"""What each argument may be, where a function cannot be without it."""

RULES = {
    "notifications": Notices.load("serial"),
    "retention": Retention(rules=(RetentionRule(name="all", keep_years=1),)),
    "purge": Retention(rules=(RetentionRule(name="all", keep_years=1),)),
}
FILES = frozenset(("path", "folder", "archive", "report"))
"""Arguments that name files: what is no path is tried, and nothing that could be one."""

FRONTED = ("balances", "history", "trace")
"""Modules whose functions are asked by methods of `Ledger`, which check what they are given."""


def functions() -> Iterator[tuple[str, Callable[..., Any]]]:
    """Every public function of the ledger's modules that is given a ledger."""
    for module in pkgutil.iter_modules(allocator.ledger.__path__, "allocator.ledger."):
        short = module.name.rpartition(".")[2]
        for name, each in vars(importlib.import_module(module.name)).items():
            public = inspect.isfunction(each) and each.__module__ == module.name and not name.startswith("_")
            if public and next(iter(inspect.signature(each).parameters), "") == "ledger" and short not in FRONTED:
                yield f"{short}.{name}", each


FOUND = dict(functions())
FOUND.pop("snapshot.snapshot")  # what the others read through


def strange_calls(name: str, function: Callable[..., Any]) -> Iterator[dict[str, Any]]:
    """The arguments of calls, each with one that makes no sense."""
    parameters = [each for each in inspect.signature(function).parameters.values() if each.name != "ledger"]
    good = {each.name: VALUES.get(each.name) for each in parameters if each.default is each.empty}
    good.pop("columns", None)
    if "rules" in good:
        good["rules"] = RULES[name]
    for parameter in parameters:
        for value in STRANGER:
            could_be_one = value is None or (isinstance(value, str) and value.isprintable())
            if not (parameter.name in FILES and could_be_one):
                yield {**good, parameter.name: value}


@pytest.mark.parametrize("name", FOUND)
def test_any_argument_gives_an_answer_or_an_error_of_this_package(name: str) -> None:
    skus = [{"sku": "gauge", "tracking": "serial"}, {"sku": "filter"}]
    told: list[str] = []
    with Ledger.open("sqlite://") as ledger:
        ledger.define(skus, actor="ana")
        receive(ledger, *({"sku": "gauge", "serial": f"G-{n}", "location": "yard"} for n in range(1, 4)))
        ledger.reserve([{"line_id": "L1", "sku": "gauge", "qty": 1}], actor="bob")
        for given in strange_calls(name.rpartition(".")[2], FOUND[name]):
            try:
                FOUND[name](ledger, **given)
            except AllocatorError as error:
                codes = {problem.code for problem in error.problems}
                assert "internal" not in codes and "store_failed" not in codes, (name, given.keys())
                told.append(str(error))
        assert verify(ledger).clean
    # What is refused can be printed, whatever it was.
    "".join(told).encode()


def test_the_functions_are_found() -> None:
    assert len(FOUND) >= 40 and "subscriptions.subscribe" in FOUND and "recall.recall_impact" in FOUND
