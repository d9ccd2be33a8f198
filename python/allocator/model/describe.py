"""A policy in words: what a planner reads before the policy is used.

The two orders, one or more short sentences for every setting that was changed, and one closing sentence that sums
up what was left as it is. Two policies that differ in any setting differ in their words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from allocator.model.order import RANK_KEYS, OrderKey

if TYPE_CHECKING:
    from allocator.model.policy import AttributeRule, ContractRule, Fill, Policy

FIRST = {
    "priority": ("lowest number first", "highest number first"),
    "requested_at": ("earliest first", "latest first"),
    "needed_on": ("earliest first", "latest first"),
    "received_on": ("oldest first", "newest first"),
    "expires_on": ("first expiring first", "last expiring first"),
    "qty_available": ("smallest first", "largest first"),
    "distance": ("nearest first", "farthest first"),
    "shelf_life_days_min": ("laxest first", "strictest first"),
}
"""What ascending and descending mean for the columns that planners know."""


def describe(policy: Policy) -> str:
    """The policy in plain words, one sentence per line.

    Args:
        policy: Any policy.

    Returns:
        Text without markup that ends without a line break. The first line names the policy, the last one sums up
        the settings that have their defaults.

    Example:
        >>> from allocator.model.policy import Policy
        >>> print(describe(Policy(name="spare parts", owner="unowned", fill={"whole": "line"})))
        Policy "spare parts".
        Lines are served by priority (lowest number first), then requested_at (earliest first), then line_id.
        A line looks at stock by expires_on (first expiring first), then received_on (oldest first), then stock_id.
        Only stock that nobody owns may be taken.
        A line that names no fill rule is served so: the whole line or nothing.
        As usual: status "available"; any condition; what is received later left out; stock usable through its \
expiry day, no minimum remaining life; the line's place and all below it; quantities in whole base units.
    """
    changed: list[str] = []
    usual: list[str] = []
    for field, (words, summary) in SENTENCES.items():
        default = type(policy).model_fields[field].get_default(call_default_factory=True, validated_data={})
        if not summary or getattr(policy, field) != default:
            changed += words(policy)
        else:
            usual.append(summary)
    return "\n".join(changed + ([f"As usual: {'; '.join(usual)}."] if usual else []))


def fill_words(fill: Fill) -> str:
    """A fill rule in words, such as `the whole line or nothing; packs of 6`."""
    parts = [
        {
            "no": "any quantity",
            "line": "the whole line or nothing",
            "order": "the whole order or nothing",
        }[fill.whole]
    ]
    if fill.qty_min is not None:
        parts.append(f"at least {_amount(fill.qty_min)} or nothing")
    if fill.pack is not None:
        parts.append(f"in packs of {_amount(fill.pack)} from each row")
    if fill.rows_max is not None:
        parts.append(f"from at most {fill.rows_max} stock row{'s' * (fill.rows_max > 1)}")
    if fill.one is not None:
        parts.append(f"from one {'lot' if fill.one == 'lot' else 'place'} only")
    if fill.whole_rows:
        parts.append("stock rows taken whole or not at all")
    return "; ".join(parts)


def key_words(key: OrderKey) -> str:
    """An order key in words, such as `expires_on (first expiring first)`; nulls are named when they lead."""
    ascending, descending = FIRST.get(key.column, ("ascending", "descending"))
    nulls = ", without one before all" if key.nulls == "first" else ""
    return f"{key.column} ({descending if key.descending else ascending}{nulls})"


def _amount(value: object) -> str:
    return f"what the line's column {_name(value)} says" if isinstance(value, str) else str(value)


def _name(value: object) -> str:
    return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'


def _names(values: Iterable[object], last: str = "and") -> str:
    names = [_name(value) for value in values]
    return f" {last} ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _title(policy: Policy) -> list[str]:
    return [f"Policy {_name(policy.name)}."]


def _description(policy: Policy) -> list[str]:
    return [policy.description] if policy.description else []


def _demand_order(policy: Policy) -> list[str]:
    return [
        f"Lines are served by {', then '.join(map(key_words, policy.demand_order)) or 'nothing else'}, then line_id."
    ]


def _stock_order(policy: Policy) -> list[str]:
    keys = ", then ".join(map(key_words, policy.stock_order))
    said = [f"A line looks at stock by {keys or 'nothing else'}, then stock_id."]
    named = {key.column for key in policy.stock_order}
    used = {key.column for key in policy.full_stock_order()}
    if leading := [
        key.column for key in policy.full_stock_order() if key.column in RANK_KEYS and key.column not in named
    ]:
        said.append(f"Before all that: {', then '.join(leading)}.")
    if idle := [column for column in RANK_KEYS if column in named - used]:
        said.append(f"Nothing in this policy gives {_names(idle)} a meaning.")
    return said


def _statuses(policy: Policy) -> list[str]:
    return [f"Only stock in status {_names(policy.statuses, 'or')} may be taken."]


def _conditions(policy: Policy) -> list[str]:
    return [f"Only stock in condition {_names(policy.conditions or (), 'or')} may be taken."]


def _owner(policy: Policy) -> list[str]:
    return [
        {
            "any": "Stock of any owner may be taken.",
            "exact": "Only stock of the line's own owner may be taken; a line without one takes stock without one.",
            "unowned": "Only stock that nobody owns may be taken.",
            "deposit_first": "The line's owner's stock is taken first, then stock that nobody owns.",
        }[policy.owner]
    ]


def _inbound(policy: Policy) -> list[str]:
    return [
        {
            "exclude": "What is received later is left out.",
            "when_needed": "What is received later may serve lines that are needed on or after that day.",
        }[policy.inbound]
    ]


def _shelf_life(policy: Policy) -> list[str]:
    rule = policy.shelf_life
    said = [
        "Stock is usable through its expiry day."
        if rule.usable == "through"
        else "Stock is usable until the day before its expiry day.",
        "Remaining life is measured on "
        + (
            "the day of the run."
            if rule.measured_at == "as_of"
            else "the day the line is needed (without one, on the day of the run)."
        ),
        f"Every line asks at least {_days(rule.days_min)} of remaining life."
        if rule.days_min
        else "No minimum holds for every line.",
    ]
    for what, minimums in (("customer", rule.by_customer), ("SKU group", rule.by_group), ("SKU", rule.by_sku)):
        said += [f"For {what} {_name(key)} it is {_days(minimums[key])}." for key in sorted(minimums)]
    said.append(
        "The largest minimum that applies counts, with the line's own."
        if rule.combine == "strictest"
        else "The most specific minimum counts: the line's own, else by customer, SKU, group, or for all."
    )
    return said


def _days(days: int) -> str:
    return f"{days} day{'s' * (days != 1)}"


def _attributes(policy: Policy) -> list[str]:
    return [f"Of the stock, {_comparison(rule)}." for rule in policy.attributes]


def _comparison(rule: AttributeRule) -> str:
    verb = {
        "=": "must equal",
        "!=": "must differ from",
        "<": "must be below",
        "<=": "must be at most",
        ">": "must be above",
        ">=": "must be at least",
        "in": "must be one of",
        "not_in": "must be none of",
        "between": "must lie between",
    }[rule.op]
    if rule.demand_column is not None:
        against = f"the line's {_name(rule.demand_column)} (a line without one is not bound)"
    elif rule.demand_columns is not None:
        against = f"the line's {_names(rule.demand_columns)}, both included (without one, that end is open)"
    elif isinstance(rule.value, tuple):
        against = (
            " and ".join(map(_constant, rule.value)) if rule.op == "between" else ", ".join(map(_constant, rule.value))
        )
    else:
        against = _constant(rule.value)
    versions = ", compared as versions" if rule.compare == "version" else ""
    nulls = "stock without a value passes" if rule.nulls == "pass" else "stock without a value fails"
    return f"{_name(rule.column)} {verb} {against}{versions}; {nulls}"


def _constant(value: object) -> str:
    return _name(value) if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)


def _contracts(policy: Policy) -> list[str]:
    if policy.contracts is None:
        return []
    said = [_contract(rule) for rule in policy.contracts.rules]
    said.append(
        "The most exact of these rules that match decides; among equals a forbidding one, then the lowest rank."
    )
    otherwise = "may not be taken" if policy.contracts.otherwise == "forbid" else "may be taken"
    said.append(f"What no rule matches {otherwise}.")
    said.append(
        "Lines without a contract are not bound by this."
        if policy.contracts.without_contract == "allow"
        else "Lines without a contract are matched like any other."
    )
    return said


def _contract(rule: ContractRule) -> str:
    stock = [
        f"{word} {_name(value)}"
        for word, value in (("class", rule.stock_class), ("condition", rule.condition))
        if value
    ]
    lines = [
        f"{word} {_name(value)}"
        for word, value in (("contract", rule.contract_type), ("BU", rule.bu), ("SKU group", rule.sku_group))
        if value
    ]
    dates = [f"{word} {day}" for word, day in (("from", rule.valid_from), ("through", rule.valid_to)) if day]
    return (
        f"Stock of {' and '.join(stock) or 'any class and condition'} {'may' if rule.allow else 'may not'} serve "
        f"{'lines of ' + ' and '.join(lines) if lines else 'any line'}{', ' if dates else ''}{' '.join(dates)}"
        f"{f' (rank {rule.rank})' if rule.rank else ''}."
    )


def _location(policy: Policy) -> list[str]:
    rule = policy.location
    said = [
        {
            "tree": "A line takes from its place and all below it.",
            "exact": "A line takes from its very place, not from those below it.",
            "any": "A line takes from any place.",
        }[rule.scope]
    ]
    if rule.exclude:
        said.append(f"Nothing is taken from {_names(rule.exclude)} and below.")
    said += [
        f"Lines at {_name(s.location)} may also take from {_name(s.source)} (source rank {s.rank})."
        for s in rule.sources
    ]
    if rule.own_place == "only_if_listed":
        said.append("The line's own place serves it only where it is listed as a source.")
    elif rule.sources:
        said.append("The line's own place comes before all sources.")
    said += [f"From {_name(d.location)} to {_name(d.source)} the distance is {d.distance}." for d in rule.distances]
    return said


def _substitutes(policy: Policy) -> list[str]:
    return [
        f"{_name(s.substitute)} may stand in for {_name(s.sku)}, "
        + ("one for one." if s.ratio == 1 else f"{s.ratio.numerator} for every {s.ratio.denominator} asked.")
        for s in policy.substitutes
    ]


def _safety_stock(policy: Policy) -> list[str]:
    return [
        f"Of {_name(s.sku)}, {s.qty} stay back {f'in {_name(s.location)} and below' if s.location else 'anywhere'}."
        for s in policy.safety_stock
    ]


def _fill(policy: Policy) -> list[str]:
    return [f"A line that names no fill rule is served so: {fill_words(policy.fill)}."]


def _fills(policy: Policy) -> list[str]:
    return [f"The fill rule {_name(name)} means: {fill_words(policy.fills[name])}." for name in sorted(policy.fills)]


def _units(policy: Policy) -> list[str]:
    return [
        f"One {_name(u.unit)} of {_name(u.sku) if u.sku else 'any other SKU'} is {u.ratio} base units."
        for u in policy.units
    ]


def _unit_rounding(policy: Policy) -> list[str]:
    return [
        {
            "refuse": "A quantity that is no whole number of base units is refused.",
            "up": "A quantity that is no whole number of base units is rounded up.",
            "down": "A quantity that is no whole number of base units is rounded down.",
            "nearest": "A quantity that is no whole number of base units is rounded to the nearest.",
        }[policy.unit_rounding]
    ]


SENTENCES: dict[str, tuple[Callable[[Policy], list[str]], str]] = {
    "name": (_title, ""),
    "description": (_description, ""),
    "demand_order": (_demand_order, ""),
    "stock_order": (_stock_order, ""),
    "statuses": (_statuses, 'status "available"'),
    "conditions": (_conditions, "any condition"),
    "owner": (_owner, "any owner"),
    "inbound": (_inbound, "what is received later left out"),
    "shelf_life": (_shelf_life, "stock usable through its expiry day, no minimum remaining life"),
    "attributes": (_attributes, ""),
    "contracts": (_contracts, ""),
    "location": (_location, "the line's place and all below it"),
    "substitutes": (_substitutes, ""),
    "safety_stock": (_safety_stock, ""),
    "fill": (_fill, "any quantity of a line"),
    "fills": (_fills, ""),
    "units": (_units, ""),
    "unit_rounding": (_unit_rounding, "quantities in whole base units"),
}
"""For every setting: its sentences, and the summary that stands for them while the setting has its default."""
