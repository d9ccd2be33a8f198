"""A scenario: a named set of levers. `docs/what-if.md` says what comes of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence
from typing import Annotated, ClassVar

from pydantic import Field

from allocator.errors import Problem
from allocator.model.consistency import AT_LEAST_ONE, checked, filled
from allocator.model.dealing import Dealing, FairShares, Rations, StockLimits
from allocator.model.document import Document, Name, Part
from allocator.model.levers import (
    Lever,
    Orders,
    OtherContracts,
    OtherFills,
    OtherSafetyStock,
    OtherShelfLife,
    OtherSubstitutes,
    Places,
    PolicyLever,
    Statuses,
)


def _says_something(levers: tuple[Lever, ...]) -> Iterator[Problem]:
    """Levers of the policy that would leave it as it is."""
    for number, lever in enumerate(levers):
        if isinstance(lever, PolicyLever) and not isinstance(lever, OtherContracts) and set(lever.plain()) == {"lever"}:
            names = [name for name in type(lever).model_fields if name != "lever"]
            message = f"the lever says nothing: give {' or '.join(names)}"
            yield Problem("setting_missing", message, column=str(number))


def _agree(levers: tuple[Lever, ...]) -> Iterator[Problem]:
    """Levers of the policy, and on how much lines may have, that say two things of one."""
    said: dict[tuple[str, Hashable], list[int]] = defaultdict(list)
    for number, lever in enumerate(levers):
        for what in _settled(lever):
            said[lever.lever, what].append(number)
    for (kind, what), numbers in said.items():
        if len(numbers) > 1:
            message = f"levers {', '.join(map(str, numbers))} say two things of one setting of {kind}"
            hint = "Keep one of them, or make two scenarios"
            yield Problem("setting_conflict", message, column=str(numbers[-1]), value=str(what)[:80], hint=hint)


def _settled(lever: Lever) -> Iterator[Hashable]:
    """What a lever of the policy decides alone."""
    match lever:
        case Statuses():
            yield from (*lever.allow, *lever.forbid)
        case Places():
            yield from (*lever.exclude, *lever.include)
        case OtherShelfLife() | OtherContracts() | FairShares() | Rations() | StockLimits() | Dealing():
            yield lever.lever
        case OtherSubstitutes():
            yield from ((entry.sku, entry.substitute) for entry in lever.add)
            yield from ((pair.sku, pair.substitute) for pair in lever.remove)
        case OtherFills():
            yield from (*lever.fills, *(("",) if lever.fill else ()))
        case Orders():
            yield from (name for name in ("demand_order", "stock_order") if getattr(lever, name) is not None)
        case OtherSafetyStock():
            yield from (*((entry.sku, entry.location) for entry in lever.entries), *lever.drop)


class Scenario(Document):
    """A named set of levers, pulled one after another: what each finds is what those before it left.

    Attributes:
        name: For people, and for tables of differences.
        description: One sentence.
        levers: At least one.

    Raises:
        PolicyError: As `Part`; `setting_conflict`: two levers say two things of one setting of the policy;
            `setting_missing`: a lever says nothing.

    Example:
        >>> from allocator.model.levers import DemandSurge
        >>> rush = Scenario(name="rush", levers=[DemandSurge(where={"customer": "CLINIC"}, factor="3/2")])
        >>> print(rush.dumps("yaml"))
        name: rush
        levers:
        - lever: demand_surge
          where:
            customer: CLINIC
          factor: 3/2
        <BLANKLINE>
        >>> Scenario.loads(rush.dumps()) == rush
        True
    """

    kind: ClassVar[str] = "scenario"

    name: Name
    description: str = ""
    levers: Annotated[
        tuple[Annotated[Lever, Field(discriminator="lever")], ...],
        AT_LEAST_ONE,
        checked(filled, _says_something, _agree),
    ]

    def describe(self) -> str:
        """The document in plain words, a line for each lever."""
        head = f"{self.name}: {self.description or 'what if'}".rstrip(".")
        return "\n".join([f"{head}.", *words_of(self.levers)])

    def __add__(self, other: Scenario) -> Scenario:
        """Both at once: the levers of this one, then those of the other."""
        return Scenario(name=f"{self.name} + {other.name}", levers=(*self.levers, *other.levers))


def words_of(levers: Sequence[Part]) -> Iterator[str]:
    """A line for each lever: its name, its settings, and which rows it means."""
    for number, lever in enumerate(levers, start=1):
        said = lever.plain()
        where = said.pop("where", {})
        settings = [f"{name} {_said(value)}" for name, value in said.items() if name != "lever"]
        rows = [f"{column} is {' or '.join(map(str, v)) if isinstance(v, list) else v}" for column, v in where.items()]
        parts = [", ".join(settings), f"where {' and '.join(rows)}" if rows else ""]
        yield f"{number}. {said['lever'].replace('_', ' ')}: {' '.join(part for part in parts if part) or 'all rows'}."


def _said(value: object) -> str:
    """A setting as text; what has parts of its own is told by them."""
    if isinstance(value, dict):
        return f"({', '.join(f'{name} {_said(each)}' for name, each in value.items())})"
    return " or ".join(map(_said, value)) if isinstance(value, list) else str(value)
