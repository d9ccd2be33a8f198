"""Rules of automation: when this happens to a document, that step is taken, as data (WD-9)."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any, ClassVar, Final, Self

from pydantic import Field, StringConstraints, model_validator

from allocator.errors import PolicyError, Problem
from allocator.model.document import Document, Name, Names, Part

BETWEEN: Final = " > "
"""Stands between the names of rules of which one followed from the other."""

RuleName = Annotated[str, StringConstraints(min_length=1, max_length=40, pattern=r"^[\p{L}\p{N}][\p{L}\p{N} _.-]*$")]


class Rule(Part):
    """When a step was taken, another one is.

    Attributes:
        name: Its name: letters, digits, blanks and `_.-`.
        flow: Of which flow the document is.
        step: The step that was taken with it.
        states: The states that it came to; any if none is named.
        where: What else must be so: values of `bu`, `party`, `counterparty`, `actor`, `role`, `reason`, or of details
            that the step changed, as `details.customer`.
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
    where: dict[Name, str] = Field(default_factory=dict)
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
    where = "".join(f", where {name} is {value}" for name, value in rule.where.items())
    return f"{rule.name}: after {rule.step} of a {rule.flow}{when}{where}, {rule.do} as {rule.role}"
