"""Rules of automation: when this happens to a document, that step is taken, as data (WD-9)."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from allocator.errors import PolicyError, Problem
from allocator.model.document import Document, Name, Names, Part
from allocator.model.exact import Constants

BETWEEN: Final = " > "
"""Stands between the names of rules of which one followed from the other."""

RULE_NAME: Final = r"^[^\x00-/:-@\[-`{-\x9f][^\x00-\x1f!-,/:-@\[-^`{-\x9f]*$"
"""Letters and digits of any script, then also blanks, `_`, `.` and `-`, in a notation that every reader knows."""

RuleName = Annotated[str, StringConstraints(min_length=1, max_length=40, pattern=RULE_NAME)]


def kind_of(value: object) -> str:
    """What a value is compared as: `number`, `day`, `flag` or `text`."""
    if isinstance(value, bool):
        return "flag"
    return "number" if isinstance(value, int | Decimal) else "text" if isinstance(value, str) else "day"


class Comparison(Part):
    """What a value must be like.

    Attributes:
        op: `!=`, `<`, `<=`, `>`, `>=`, `in`, `not_in`, or `between` (both ends included).
        value: What it is compared with: a number, a day, a text, true or false; for `in` and `not_in` a list, for
            `between` a list of two.
    """

    op: Literal["=", "!=", "<", "<=", ">", ">=", "in", "not_in", "between"]
    value: Constants

    @property
    def values(self) -> tuple[Any, ...]:
        """All that it is compared with."""
        return self.value if isinstance(self.value, tuple) else (self.value,)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        many, kinds = self.op in ("in", "not_in", "between"), {kind_of(value) for value in self.values}
        if isinstance(self.value, tuple) != many:
            raise ValueError(f"op {self.op!r} takes {'a list' if many else 'a single value'}")
        if len(kinds) != 1:
            raise ValueError(
                "a list is of one kind: numbers, days or texts" if kinds else "the list of values is empty"
            )
        if self.op == "between" and len(self.values) != 2:
            raise ValueError("op 'between' takes a list of two values")
        if self.op not in ("=", "!=", "in", "not_in") and not kinds & {"number", "day"}:
            raise ValueError(f"op {self.op!r} compares numbers or days: 3, not '3'")
        return self

    def describe(self) -> str:
        """In plain words."""
        told = [value.isoformat() if kind_of(value) == "day" else str(value) for value in self.values]
        between = " and " if self.op == "between" else ", "
        return f"{_WORDS.get(self.op, self.op)} {between.join(told)}"


_WORDS: Final = {"=": "is", "!=": "is not", "in": "is one of", "not_in": "is none of", "between": "is between"}


def _as_comparison(value: Any) -> Any:  # noqa: ANN401 - whatever was written
    """A value alone must be the same, one of a list any of them."""
    if isinstance(value, dict):
        return {name: tuple(each) if isinstance(each, list) else each for name, each in value.items()}
    if isinstance(value, list | tuple):
        return {"op": "in", "value": tuple(value)}
    return value if isinstance(value, Comparison) else {"op": "=", "value": value}


Condition = Annotated[Comparison, BeforeValidator(_as_comparison, json_schema_input_type=Comparison | Constants)]
"""A value, a list of values, or a comparison."""


class Rule(Part):
    """When a step was taken, another one is.

    Attributes:
        name: Its name: letters, digits, blanks and `_.-`.
        flow: Of which flow the document is.
        step: The step that was taken with it.
        states: The states that it came to; any if none is named.
        where: What else must be so: values of `bu`, `party`, `counterparty`, `actor`, `role`, `reason`, or of details
            that the step changed, as `details.customer`. Each is a value, a list of values, or a comparison such as
            `{ op = ">=", value = 3 }`. Numbers are compared as numbers, days as days, text as text.
        do: The step that is taken then, by its name in `allocator.flows.steps.STEPS`.
        arguments: What it is told. `$number`, `$party`, `$counterparty`, `$bu`, `$actor` and `$details.…` stand for
            what the event says.
        role: The role in which it is taken.
        party: For whom; the business itself if left out, `$party` for the document's own.
    """

    name: RuleName
    flow: Name
    step: Name
    states: Names = ()
    where: dict[Name, Condition] = Field(default_factory=dict)
    do: Name
    arguments: dict[Name, Any] = Field(default_factory=dict)
    role: Name
    party: Name | None = None


class Automation(Document):
    """Rules that are applied to what happens from the moment on in which the first of them are put in force.

    A rule is applied once to each event. What it does is an event, too, to which others are applied, but none that is
    among those that led to it: so no chain is longer than there are rules.

    Example:
        >>> rules = Automation.loads('''
        ... [[rules]]
        ... name = "due back at once"
        ... flow = "subscription"
        ... step = "remove"
        ... do = "devices.end_rental"
        ... arguments = { rental = "$details.rental" }
        ... role = "service"
        ... ''')
        >>> rules.describe()
        'due back at once: after remove of a subscription, devices.end_rental as service'
    """

    kind: ClassVar[str] = "automation"

    rules: tuple[Rule, ...] = ()

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        twice = [name for name, times in Counter(rule.name for rule in self.rules).items() if times > 1]
        if twice:
            raise PolicyError(
                Problem("setting_twice", "two rules have this name", column="rules", value=n) for n in twice
            )
        return self

    def describe(self) -> str:
        """The rules in plain words, one line each."""
        return "\n".join(_words(rule) for rule in self.rules) or "Nothing is done by itself."


def _words(rule: Rule) -> str:
    when = f" to {' or '.join(rule.states)}" if rule.states else ""
    where = "".join(f", where {name} {condition.describe()}" for name, condition in rule.where.items())
    return f"{rule.name}: after {rule.step} of a {rule.flow}{when}{where}, {rule.do} as {rule.role}"
