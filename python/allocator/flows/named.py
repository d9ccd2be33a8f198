"""Which of some goods people mean by the lines that they give, and how much of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from allocator.errors import InputError, Problem
from allocator.flows.doing import Doing, placed
from allocator.flows.quantities import quantity
from allocator.ledger.records import Sku
from allocator.ledger.selection import units

Thing = TypeVar("Thing")

NAMES: Final = ("line", "stock_id", "serial", "sku")
"""By what a line may name goods; one of these it must."""


@dataclass(frozen=True, slots=True)
class Candidate(Generic[Thing]):
    """Something that a line may mean.

    Attributes:
        thing: What it stands for.
        sku: Of which SKU it is.
        goods_id: The very goods.
        left: How much of it may be taken, in the steps that the SKU is counted in.
        says: What a line may name it by, beside serial and SKU.
    """

    thing: Thing
    sku: Sku
    goods_id: int
    left: int
    says: Mapping[str, Any]


def chosen(
    doing: Doing, rows: Sequence[Mapping[str, Any]], candidates: Sequence[Candidate[Thing]], *, table: str, none: str,
    hint: str, there: str,
) -> list[tuple[Thing, int]]:  # fmt: skip
    """What lines mean, each by everything that it says; how much of each: all of it where they do not say.

    Args:
        doing: The step.
        rows: The lines, read.
        candidates: What they may mean, in the order in which it is taken.
        table: What the lines are called.
        none: What is said where a line means nothing of that.
        hint: What helps then.
        there: What is said of a quantity that is not there, as `are out`.

    Raises:
        InputError: `goods_unknown`, `stock_short`, `qty_step`: every one of them.
    """
    doing.book.find_numbers(row["serial"] for row in rows if "serial" in row)
    near = _by_name(candidates)
    left = [candidate.left for candidate in candidates]
    taken: list[tuple[Thing, int]] = []
    problems: list[Problem] = []
    for n, row in enumerate(rows):
        mine = [each for each in _near(doing, row, near, len(candidates)) if _means(row, candidates[each])]
        if not mine:
            problems.append(Problem("goods_unknown", none, table, row=n, hint=hint))
            continue
        sku, whole = candidates[mine[0]].sku, sum(left[each] for each in mine)
        try:
            wanted = units(row["qty"], sku, n) if "qty" in row else whole
        except InputError as error:
            problems += placed(error, table, n)
            continue
        if not 0 < wanted <= whole:
            message = f"{quantity(whole, sku)} of {sku.sku} {there}"
            asked = str(row.get("qty", quantity(wanted, sku)))
            hint = "Ask for that, or leave qty out for all of it" if whole else "Nothing of it is left"
            problems.append(Problem("stock_short", message, table, "qty", n, asked, hint))
            continue
        for each in mine:
            part = min(wanted, left[each])
            if part:
                taken.append((candidates[each].thing, part))
                left[each] -= part
                wanted -= part
    if problems:
        raise InputError(problems)
    return taken


def _by_name(candidates: Sequence[Candidate[Any]]) -> dict[tuple[str, Any], list[int]]:
    """Candidates by what names few of them: ten thousand lines would else be compared with as many candidates."""
    near: dict[tuple[str, Any], list[int]] = {}
    for n, each in enumerate(candidates):
        for name in ("line", "stock_id"):
            if name in each.says:
                near.setdefault((name, each.says[name]), []).append(n)
        near.setdefault(("serial", each.goods_id), []).append(n)
    return near


def _near(doing: Doing, row: Mapping[str, Any], near: Mapping[tuple[str, Any], list[int]], count: int) -> Sequence[int]:
    if "serial" in row:
        goods = dict.fromkeys(goods_id for _, goods_id in doing.book.numbers.get(row["serial"], ()))
        return [n for goods_id in goods for n in near.get(("serial", goods_id), ())]
    for name in ("line", "stock_id"):
        if name in row:
            return near.get((name, row[name]), ())
    return range(count) if "sku" in row else ()


def _means(row: Mapping[str, Any], candidate: Candidate[Any]) -> bool:
    says = {**candidate.says, "sku": candidate.sku.sku}
    return all(name in ("serial", "qty") or says.get(name) == value for name, value in row.items())
