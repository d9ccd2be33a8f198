"""A policy: which stock may serve which demand, in which order, within which limits.

A policy is data. It can be written in TOML, YAML or JSON, read, compared, fingerprinted and explained;
`docs/policies.md` says in words what every setting does. Nothing in it is a function or an expression.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from allocator.errors import Problem
from allocator.model.consistency import (
    AT_LEAST_ONE,
    accepted,
    checked,
    filled,
    keys_of_lines,
    keys_of_stock,
    location_problems,
    once,
    places,
    rings,
    unique,
)
from allocator.model.describe import describe
from allocator.model.document import Document, Name, Part
from allocator.model.exact import Amount, Constants, Days, Flag, Qty, Ratio, Whole
from allocator.model.order import DEMAND_ORDERS, RANK_KEYS, STOCK_ORDERS, Key, OrderKey


class ShelfLife(Part):
    """Expiry and minimum remaining shelf life.

    The *last usable day* of a row is its `expires_on` (`usable="through"`), or the day before it
    (`usable="until"`); a null `expires_on` never expires. A row whose last usable day is before `as_of` is
    expired. The remaining life is the last usable day minus the day of measurement, in days, and must be at
    least the minimum of the line.

    Attributes:
        usable: Whether stock is usable *through* its expiry day, or only *until* it.
        measured_at: The day from which remaining life counts: `as_of`, or the line's `needed_on` (`as_of` where
            that is null).
        days_min: The minimum for every line, in days.
        by_customer: Minimum by the line's `customer`.
        by_group: Minimum by the line's `sku_group`.
        by_sku: Minimum by the line's `sku`.
        combine: `strictest`: the largest of all that apply, with the line's own `min_shelf_life_days`;
            `most_specific`: the first that exists of line, customer, SKU, group, `days_min`.
    """

    usable: Literal["through", "until"] = "through"
    measured_at: Literal["as_of", "needed_on"] = "as_of"
    days_min: Days = 0
    by_customer: dict[Name, Days] = Field(default_factory=dict)
    by_group: dict[Name, Days] = Field(default_factory=dict)
    by_sku: dict[Name, Days] = Field(default_factory=dict)
    combine: Literal["strictest", "most_specific"] = "strictest"


class AttributeRule(Part):
    """Compares a column of stock with a constant, or with a column of the line.

    Attributes:
        column: The stock column.
        op: `=`, `!=`, `<`, `<=`, `>`, `>=`, `in`, `not_in`, or `between` (both ends included).
        value: The constant; for `in` and `not_in` a list, for `between` a list of two.
        demand_column: Instead of `value`, a column of demand; for `between` use `demand_columns`. A line with a
            null there is not bound by the rule. Not for `in` and `not_in`.
        demand_columns: For `between`: the columns of demand that hold the two ends; a null end is open.
        nulls: Whether a stock row with a null in `column` fails the rule or passes it.
        compare: `plain` (numbers and dates by value, text by code point), or `version`: text such as `2.10.1`
            part by part, numbers as numbers.
    """

    column: Name
    op: Literal["=", "!=", "<", "<=", ">", ">=", "in", "not_in", "between"]
    value: Constants | None = None
    demand_column: Name | None = None
    demand_columns: tuple[Name, Name] | None = None
    nulls: Literal["fail", "pass"] = "fail"
    compare: Literal["plain", "version"] = "plain"

    @model_validator(mode="after")
    def _one_right_hand_side(self) -> Self:
        given = [f for f in ("value", "demand_column", "demand_columns") if getattr(self, f) is not None]
        if len(given) != 1:
            raise ValueError("give exactly one of value, demand_column and demand_columns")
        many = self.op in ("in", "not_in", "between")
        if self.value is not None and isinstance(self.value, tuple) != many:
            raise ValueError(f"op {self.op!r} takes {'a list' if many else 'a single value'}")
        if self.op == "between" and isinstance(self.value, tuple) and len(self.value) != 2:
            raise ValueError("op 'between' takes a list of two values")
        if isinstance(self.value, tuple):
            self._is_one_kind(self.value)
        if self.compare == "version" and not all(isinstance(v, str) for v in self._constants()):
            raise ValueError("a version is text, such as '2.10.1'")
        if (self.demand_columns is not None) != (self.op == "between" and self.value is None):
            raise ValueError("demand_columns goes with op 'between', and op 'between' with demand_columns or a value")
        if self.demand_column is not None and many:
            raise ValueError(f"op {self.op!r} cannot be compared with one demand column")
        return self

    def _constants(self) -> tuple[object, ...]:
        return self.value if isinstance(self.value, tuple) else () if self.value is None else (self.value,)

    def _is_one_kind(self, values: tuple[bool | int | Decimal | dt.date | str, ...]) -> None:
        kinds = {"number" if type(v) in (int, Decimal) else type(v).__name__ for v in values}
        if not values:
            raise ValueError("the list of values is empty")
        if len(kinds) > 1:
            raise ValueError("the values of a list are all numbers, all days, all text or all booleans")
        if self.op == "between" and self.compare == "plain" and values[0] > values[1]:  # type: ignore[operator]
            raise ValueError("the low end of 'between' comes first")


class ContractRule(Part):
    """One cell, row or column of the contract matrix. A selector left out matches everything.

    Attributes:
        stock_class: The row's `stock_class`.
        condition: The row's `condition`.
        contract_type: The line's `contract_type`.
        bu: The line's `bu`.
        sku_group: The line's `sku_group`.
        valid_from: First day on which the rule holds, compared with `as_of`; null is open.
        valid_to: Last day on which it holds; null is open.
        allow: Whether such stock may serve such a line.
        rank: The lower is taken first, as the key `contract_rank` of the stock order.
    """

    stock_class: Name | None = None
    condition: Name | None = None
    contract_type: Name | None = None
    bu: Name | None = None
    sku_group: Name | None = None
    valid_from: dt.date | None = None
    valid_to: dt.date | None = None
    allow: Flag = True
    rank: Annotated[Whole, Field(ge=0, le=10_000)] = 0

    @model_validator(mode="after")
    def _dates_in_order(self) -> Self:
        if self.valid_from and self.valid_to and self.valid_to < self.valid_from:
            raise ValueError("valid_to is before valid_from")
        return self


class Contracts(Part):
    """The contract matrix.

    Of the rules that match a row and a line, and hold on `as_of`, the one with the most selectors decides; among
    equals a forbidding one, then the lowest rank. Nulls in the tables are matched only by an absent selector.

    Attributes:
        rules: The matrix.
        otherwise: What holds where no rule matches.
        without_contract: What holds for a line without a `contract_type`: `allow` (the matrix does not concern
            it), or `match` (it is matched like any other, by rules that name no contract type).
    """

    rules: Annotated[tuple[ContractRule, ...], AT_LEAST_ONE, checked(filled)]
    otherwise: Literal["forbid", "allow"] = "forbid"
    without_contract: Literal["allow", "match"] = "allow"


class Source(Part):
    """One ranked source: lines at `location` may take from `source`, the lower `rank` first.

    Both are paths; a source contains the places below it. The entries of the line's own place count, or, if it
    has none, those of the nearest place above it that has.
    """

    location: Name
    source: Name
    rank: Annotated[Whole, Field(ge=1, le=10_000)] = 1


class Distance(Part):
    """How far `source` is from `location`, in any unit, for the key `distance`. It counts for places below too."""

    location: Name
    source: Name
    distance: Annotated[Whole, Field(ge=0, le=2**31 - 1)]


class Location(Part):
    """Where a line may take stock from. A place contains the places below it: `W1` contains `W1/A`, not `W10`.

    Attributes:
        scope: `tree`: the line's `location` and all below it; `exact`: that very place; `any`: anywhere. A line
            without a location may take from anywhere.
        exclude: Places, with all below them, that serve nobody.
        sources: Ranked sources. A line whose place has entries takes from those as well as from its own scope.
        own_place: `first`: the line's own scope has source rank 0, before all sources; `only_if_listed`: its own
            scope serves it only where it is listed as a source.
        distances: Distances for the key `distance`; without any, steps in the tree of places. A pair that is not
            listed has no distance (null).
    """

    scope: Literal["tree", "exact", "any"] = "tree"
    exclude: tuple[Name, ...] = ()
    sources: tuple[Source, ...] = ()
    own_place: Literal["first", "only_if_listed"] = "first"
    distances: tuple[Distance, ...] = ()

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        return accepted(self, location_problems)


class Substitute(Part):
    """`substitute` may stand in for `sku`: `ratio` units of it for each unit asked. One way, one step.

    The entries of one SKU are tried in the order in which they are listed, after the SKU itself
    (key `substitute_rank`: 0 for itself, then 1, 2, …). Only whole exchanges are made: with a ratio of 3/2, three
    for every two asked.
    """

    sku: Name
    substitute: Name
    ratio: Ratio = Fraction(1)


class SafetyStock(Part):
    """A quantity of a SKU that is kept back at a place (and below it), from the end of the stock order.

    Counted over rows that anyone could be served from: allocatable status, not blocked, not expired, received,
    not excluded, of an accepted condition and owner.
    """

    sku: Name
    location: Name | None = None
    qty: Qty


class Fill(Part):
    """How much of a line must be served, and from what.

    Attributes:
        whole: `no`: any quantity; `line`: the whole line or nothing; `order`: every line of the order with this
            rule, whole, or nothing for any of them.
        qty_min: At least this much or nothing; a line that asks less must be served whole. A number, or the name
            of a demand column (null: no minimum).
        pack: Each stock row gives a multiple of this, so a remnant below a pack is passed over. A number,
            or the name of a demand column (null: no packs).
        rows_max: From at most so many stock rows.
        one: From one `lot` only, or from one `source` (place) only: the first, in stock order, that serves the
            whole line; if there is none, the one that serves most (the first of equals). A row without a lot
            number is a lot of its own.
        whole_rows: A row's available quantity is taken whole or not at all.
    """

    whole: Literal["no", "line", "order"] = "no"
    qty_min: Amount | None = None
    pack: Amount | None = None
    rows_max: Annotated[Whole, Field(ge=1, le=1_000_000)] | None = None
    one: Literal["lot", "source"] | None = None
    whole_rows: Flag = False


FILLS: dict[str, Fill] = {"any": Fill(), "line": Fill(whole="line"), "order": Fill(whole="order")}
"""Names that the demand column `fill` may always use."""


def _fill_names(fills: dict[str, Fill]) -> Iterator[Problem]:
    for name in fills.keys() & FILLS.keys():
        yield Problem("setting_conflict", "this name always means the same and cannot get another meaning", column=name)


class Unit(Part):
    """One `unit` is `ratio` base units, of one SKU or (without `sku`) of every SKU that has no entry of its own."""

    unit: Name
    ratio: Ratio
    sku: Name | None = None


def _order(named: dict[str, tuple[OrderKey, ...]]) -> BeforeValidator:
    def resolve(value: object) -> object:
        if not isinstance(value, str):
            return tuple(value) if isinstance(value, list) else value
        if value not in named:
            raise ValueError(f"no order is named {value!r}; there are {', '.join(named)}, or give a list of keys")
        return named[value]

    return BeforeValidator(resolve, json_schema_input_type=tuple[Key, ...] | Literal[tuple(named)])


def _safety_stock_problems(entries: tuple[SafetyStock, ...]) -> Iterator[Problem]:
    yield from unique(lambda s: (s.sku, s.location), "{0.sku} at {0.location}".format)(entries)
    yield from places((f"{i}.location", entry.location) for i, entry in enumerate(entries))


DemandOrder = Annotated[tuple[Key, ...], _order(DEMAND_ORDERS), checked(keys_of_lines)]
StockOrder = Annotated[tuple[Key, ...], _order(STOCK_ORDERS), checked(keys_of_stock)]
Some = Annotated[tuple[Name, ...], AT_LEAST_ONE, checked(filled, unique(once, str))]
Substitutes = Annotated[
    tuple[Substitute, ...],
    checked(unique(lambda s: (s.sku, s.substitute), "{0.substitute} for {0.sku}".format), rings),
]


class Policy(Document):
    """Everything that decides which stock serves which demand.

    Every setting has a default; `Policy()` is: lines by priority then request time; stock first expiring first,
    oldest next; status `available`; any condition and owner; the line's place and all below it; partial fills.

    Attributes:
        name: For people, and for the record of what was decided.
        description: One sentence.
        demand_order: In which order lines are served: a name of `DEMAND_ORDERS`, or keys. `line_id` ends it.
        stock_order: In which order a line looks at stock: a name of `STOCK_ORDERS`, or keys. `stock_id` ends it.
            The ranks that the policy uses (`RANK_KEYS`) lead it, unless it names them itself.
        statuses: Statuses that may be allocated.
        conditions: Conditions that may be allocated; null means any.
        owner: `any`; `exact`: the row's owner equals the line's (none matches none); `unowned`: rows without owner;
            `deposit_first`: the line's owner's rows first (owner rank 0), then unowned ones (1).
        inbound: Rows received after `as_of`: `exclude`, or `when_needed`: usable for lines whose `needed_on` is on or
            after the day of receipt.
        shelf_life: Expiry and minimum remaining shelf life.
        attributes: Further comparisons, all of which must hold.
        contracts: The contract matrix; null means that contracts do not matter.
        location: Places, sources and distances.
        substitutes: Substitutes.
        safety_stock: Quantities kept back.
        fill: The fill rule of every line that names none.
        fills: Further fill rules, by the name that the demand column `fill` uses.
        units: Units of measure besides the base unit, used by a column `unit` of stock or demand.
        unit_rounding: What happens to a quantity that is no whole number of base units.
    """

    kind: ClassVar[str] = "policy"

    name: Name = "default"
    description: str = ""
    demand_order: DemandOrder = DEMAND_ORDERS["priority"]
    stock_order: StockOrder = STOCK_ORDERS["fefo"]
    statuses: Some = ("available",)
    conditions: Some | None = None
    owner: Literal["any", "exact", "unowned", "deposit_first"] = "any"
    inbound: Literal["exclude", "when_needed"] = "exclude"
    shelf_life: ShelfLife = ShelfLife()
    attributes: tuple[AttributeRule, ...] = ()
    contracts: Contracts | None = None
    location: Location = Location()
    substitutes: Substitutes = ()
    safety_stock: Annotated[tuple[SafetyStock, ...], checked(_safety_stock_problems)] = ()
    fill: Fill = Fill()
    fills: Annotated[dict[Name, Fill], checked(_fill_names)] = Field(default_factory=dict)
    units: Annotated[tuple[Unit, ...], checked(unique(lambda u: (u.sku, u.unit), "{0.unit}".format))] = ()
    unit_rounding: Literal["refuse", "up", "down", "nearest"] = "refuse"

    def describe(self) -> str:
        """The policy in plain words, one sentence per line: every setting that was changed, the others summed up."""
        return describe(self)

    def full_stock_order(self) -> tuple[OrderKey, ...]:
        """The stock order with the ranks that this policy uses in their places; `stock_id` still to be appended."""
        used = {
            "source_rank": bool(self.location.sources),
            "substitute_rank": bool(self.substitutes),
            "contract_rank": self.contracts is not None and any(r.rank for r in self.contracts.rules),
            "owner_rank": self.owner == "deposit_first",
        }
        named = {k.column for k in self.stock_order}
        leading = tuple(OrderKey(column=c) for c in RANK_KEYS if used[c] and c not in named)
        return leading + tuple(k for k in self.stock_order if used.get(k.column, True))
