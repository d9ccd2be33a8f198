"""Maximum stock limits (MSL): how much of a SKU a partner may hold, and when it asks for more.

A document of limits has rules; each names a BU, an ASP, a SKU group, a SKU, any of them, or none (then it holds
for everything). For one (bu, asp, sku) exactly one rule holds: the most specific. `docs/limits.md` has the
formulas and the table of rounding.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from functools import cached_property
from typing import Annotated, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from allocator.errors import PolicyError, Problem
from allocator.model.document import Document, Name, Names, Part

QTY_MAX = 2**60
"""No limit, pack or table total may exceed this many units: sums of a few of them then always fit in Int64."""

MONEY_SCALE = 6
"""Decimal places of money. Finer amounts are refused, not rounded."""

MONEY_MAX = 10**12
"""The largest amount of money in a rule or a unit cost."""

RULE_KEYS = ("sku", "sku_group", "asp", "bu")
"""What a rule may name, the most specific first: this order decides which of two rules is more specific."""


Rounding = Literal["never_above", "nearest", "always_reach"]
"""How a quantity is brought to whole packs.

- `never_above`: down; 18 for a headroom of 20 and packs of 3.
- `nearest`: to the nearest number of packs, a tie goes down; 21 for 20, 18 for 19, and 16 for 18 in packs of 4.
- `always_reach`: up; 21 for a headroom of 20 and packs of 3.
"""


def _exact(value: object) -> object:
    """Refuses floats: 0.1 is not a tenth."""
    if isinstance(value, float | bool):
        raise ValueError("money is exact: write it as a whole number or as text, such as '1250.50'")
    try:
        return Decimal(value) if isinstance(value, int | str) else value
    except InvalidOperation:
        raise ValueError("this is no amount of money: write it as '1250.50'") from None


def _key(value: object) -> object:
    """Integer keys are compared as their decimal text, so that 7 in a document meets 7 in an integer column."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Key = Annotated[Name, BeforeValidator(_key, json_schema_input_type=Name | int)]
Units = Annotated[int, Field(strict=True, ge=0, le=QTY_MAX)]
Money = Annotated[
    Decimal,
    BeforeValidator(_exact, json_schema_input_type=str | int),
    Field(ge=0, le=MONEY_MAX, decimal_places=MONEY_SCALE),
]


class LimitRule(Part):
    """One limit, for every SKU that it covers at every partner that it covers (each SKU by itself, not their sum).

    Attributes:
        name: Unique in the document; results say which rule they followed.
        bu: Only this business unit; None is every one. Likewise `asp`, `sku_group`, `sku`.
        asp: Only this authorised service partner.
        sku_group: Only SKUs of this group.
        sku: Only this SKU.
        units_max: The most units to hold.
        value_max: The most money to hold, at unit cost. With both, the tighter binds.
        trigger: Reorder point in units: ask only when the position is at or below it, then up to the maximum.
            None asks whenever there is headroom.
        pack: Units in a pack; None takes the pack of the SKU, or 1.
        rounding: How quantities are brought to whole packs; None takes the document's.
    """

    name: Name
    bu: Key | None = None
    asp: Key | None = None
    sku_group: Key | None = None
    sku: Key | None = None
    units_max: Units | None = None
    value_max: Money | None = None
    trigger: Units | None = None
    pack: Annotated[int, Field(strict=True, ge=1, le=QTY_MAX)] | None = None
    rounding: Rounding | None = None

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.units_max is None and self.value_max is None:
            message, hint = "the rule limits nothing", "Give units_max, value_max or both"
            raise PolicyError(Problem("limit_empty", message, hint=hint))
        if self.trigger is not None and self.units_max is not None and self.trigger > self.units_max:
            message = f"the trigger is above units_max, which is {self.units_max}: there is no room to ask for"
            raise PolicyError(Problem("trigger_above_limit", message, column="trigger", value=str(self.trigger)))
        return self

    @property
    def keys(self) -> dict[str, str]:
        """What the rule names, the most specific first."""
        return {key: value for key in RULE_KEYS if (value := getattr(self, key)) is not None}

    def describe(self, rounding: Rounding = "never_above") -> str:
        """The rule as one sentence; `rounding` is the document's, used where the rule has none."""
        where = ", ".join(f"{_WORDS[key]} {value}" for key, value in self.keys.items()) or "everything"
        most = [f"{self.units_max} units"] if self.units_max is not None else []
        most += [f"a value of {self.value_max}"] if self.value_max is not None else []
        text = f"{self.name}: for {where}, hold at most {' and '.join(most)} of each SKU"
        when = "as soon as there is room" if self.trigger is None else f"at {self.trigger} units or fewer"
        text += f"; ask {when}"
        if self.pack is not None:
            text += f", in packs of {self.pack}, {_ROUNDING_WORDS[self.rounding or rounding]}"
        elif self.rounding is not None:
            text += f", in whole packs, {_ROUNDING_WORDS[self.rounding]}"
        return text + "."


class OnHand(Part):
    """Which stock rows count against a limit as on hand. What does not count is still reported, by cause.

    Attributes:
        statuses: Statuses that count.
        conditions: Conditions that count.
        blocked: Whether blocked stock counts.
        expired: Whether expired stock counts.
        usable: Whether stock is usable *through* its expiry day, or only *until* it, as in a policy.
        reserved: Whether units promised to a demand line still count; if not, they are taken off the position.
    """

    statuses: Annotated[Names, Field(min_length=1)] = ("available",)
    conditions: Annotated[Names, Field(min_length=1)] = ("new", "repaired", "used")
    blocked: bool = Field(default=False, strict=True)
    expired: bool = Field(default=False, strict=True)
    usable: Literal["through", "until"] = "through"
    reserved: bool = Field(default=True, strict=True)


class Override(Part):
    """Who may let a request pass above the limit.

    Attributes:
        roles: Roles whose override counts.
        reason_required: Whether an override without a reason is refused.
    """

    roles: Annotated[Names, Field(min_length=1)]
    reason_required: bool = Field(default=True, strict=True)


class Limits(Document):
    """Maximum stock limits and how requests are held to them.

    Attributes:
        name: What people call this document.
        rules: The limits. May be empty when they come as a table (`rules=` of `replenish`).
        rounding: For rules that do not name one.
        above_limit: What a request above its headroom gets: nothing (`refuse`; a smaller one behind it may still fit),
            or what is left, in whole packs (`reduce`).
        without_rule: What happens to a request for which no rule holds.
        on_hand: Which stock counts.
        override: Who may go above a limit; None is nobody.

    Example:
        >>> limits = Limits(
        ...     name="Field stock",
        ...     rules=[
        ...         {"name": "all", "units_max": 5},
        ...         {"name": "compressors", "sku_group": "compressor", "units_max": 20, "pack": 3},
        ...     ],
        ... )
        >>> print(limits.rules[1].describe())
        compressors: for SKU group compressor, hold at most 20 units of each SKU; ask as soon as there is room, \
in packs of 3, never above the limit.
    """

    kind: ClassVar[str] = "limits"

    name: Name = "limits"
    rules: tuple[LimitRule, ...] = ()
    rounding: Rounding = "never_above"
    above_limit: Literal["refuse", "reduce"] = "refuse"
    without_rule: Literal["refuse", "allow"] = "refuse"
    on_hand: OnHand = OnHand()
    override: Override | None = None

    @model_validator(mode="after")
    def _one_rule_per_key(self) -> Self:
        by_name: dict[str, list[int]] = defaultdict(list)
        by_key: dict[tuple[tuple[str, str], ...], list[int]] = defaultdict(list)
        for number, rule in enumerate(self.rules):
            by_name[rule.name].append(number)
            by_key[tuple(rule.keys.items())].append(number)
        problems = [
            Problem("id_duplicate", "another rule has this name", column=f"rules.{number}.name", value=name)
            for name, numbers in by_name.items()
            for number in numbers[1:]
        ]
        for key, numbers in by_key.items():
            if len(numbers) > 1:
                where = ", ".join(f"{column}={value}" for column, value in key) or "everything"
                message = f"rules {_both(self.rules[n].name for n in numbers)} are equally specific for {where}"
                hint = "Keep one of them, or make one more specific"
                problems.append(Problem("limit_conflict", message, column=f"rules.{numbers[-1]}", hint=hint))
        if problems:
            raise PolicyError(problems)
        return self

    def rule_for(self, *, sku: str, sku_group: str | None, asp: str, bu: str) -> LimitRule | None:
        """The rule that holds for a key: the most specific one that fits; None where there is none."""
        key = (sku, sku_group, asp, bu)
        for named in self._named:
            names = tuple(name if is_named else None for name, is_named in zip(key, named, strict=True))
            # A key without a group is none of a rule's that names one, and of less specific ones in their turn.
            is_whole = tuple(name is not None for name in names) == named
            if is_whole and (rule := self._by_key.get(names)) is not None:
                return rule
        return None

    @cached_property
    def _by_key(self) -> dict[tuple[str | None, ...], LimitRule]:
        """The rules by what they name, as `RULE_KEYS`."""
        return {tuple(rule.keys.get(name) for name in RULE_KEYS): rule for rule in self.rules}

    @cached_property
    def _named(self) -> list[tuple[bool, ...]]:
        """Which names rules give, the most specific first."""
        return sorted({tuple(name is not None for name in names) for names in self._by_key}, reverse=True)

    def describe(self) -> str:
        """The whole document in plain words, one sentence a line, the most specific rules first."""
        counted = self.on_hand
        lines = [
            f"{self.name}: maximum stock limits. For each SKU at a partner the most specific rule holds:"
            " SKU before SKU group before ASP before BU.",
            f"On hand is stock in status {_either(counted.statuses)} and condition {_either(counted.conditions)},"
            f" {'also' if counted.blocked else 'not'} when blocked,"
            f" {'also' if counted.expired else 'not'} when expired"
            f" (usable {counted.usable} its expiry day);"
            f" reserved units {'still count' if counted.reserved else 'do not count'}.",
            "Headroom is the limit less on hand, in transit and open requests;"
            f" unless a rule says otherwise it is brought to whole packs {_ROUNDING_WORDS[self.rounding]}.",
            "A request above its headroom is refused."
            if self.above_limit == "refuse"
            else "A request above its headroom is reduced to what is left.",
            "A request for which no rule holds is " + ("refused." if self.without_rule == "refuse" else "allowed."),
        ]
        if self.override is None:
            lines.append("Nobody may go above a limit.")
        else:
            reason = ", with a reason" if self.override.reason_required else ""
            lines.append(f"Who acts as {_either(self.override.roles)} may go above a limit{reason}.")
        ordered = sorted(self.rules, key=lambda rule: [key not in rule.keys for key in RULE_KEYS])
        return "\n".join(lines + [rule.describe(self.rounding) for rule in ordered])


_WORDS = {"sku": "SKU", "sku_group": "SKU group", "asp": "ASP", "bu": "BU"}
_ROUNDING_WORDS = {
    "never_above": "never above the limit",
    "nearest": "to the nearest pack, ties down",
    "always_reach": "always reaching the limit",
}


def _both(names: Iterable[str]) -> str:
    return " and ".join(repr(name) for name in names)


def _either(words: tuple[str, ...]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
