"""A lifecycle: the statuses of a unit, the changes allowed between them, and what each change needs.

A lifecycle is data. It can be written in TOML, YAML or JSON, read, compared, fingerprinted and drawn;
`docs/lifecycles.md` shows the presets. One table, compiled from it, answers the single question and a
batch of millions, so that the two can never disagree.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Annotated, ClassVar, Final, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from allocator.errors import PolicyError, Problem
from allocator.model import lifecycle_text
from allocator.model.document import Document, Name, Names, Part, did_you_mean

PREVIOUS: Final = "$previous"
"""As the target of a transition: the status, or state, that the unit had before; its history knows it."""

NAMES_MAX: Final = 250
"""Statuses, roles, reasons, kinds of document and combinations of needs are each counted in a byte."""


class State(Part):
    """A state: what rules look at, where statuses are what people see.

    Attributes:
        name: Unique among the states.
        description: One sentence.
    """

    name: Name
    description: str = ""


class Status(Part):
    """A status: what people see and what a unit has, exactly one at any moment.

    Attributes:
        name: Unique among the statuses.
        state: The state it maps to; None means a state of its own, of the same name.
        allocatable: Whether stock in this status may be promised to demand.
        description: One sentence.
    """

    name: Name
    state: Name | None = None
    allocatable: bool = False
    description: str = ""


class Transition(Part):
    """One allowed change, or the same change from several places, and what it needs. All needs must be met.

    Attributes:
        from_: Where it begins (`from` in documents): statuses, or states where the lifecycle says so.
        to: Where it ends; `$previous` is what the unit was before it got to `from_`.
        why: What happens, in a few words.
        events: Events that make this change by themselves.
        roles: Who may make it: anyone with one of these roles; empty means everyone.
        approval: Whether someone must have approved it.
        reasons: The reason codes of which one must be given; empty means that none is needed.
        documents: The kinds of document of which one must be attached; empty means that none is needed.
        photo: Whether a photo must be attached.
        restricted: Whether it lies outside the normal course: it needs a role, no event makes it, and it is
            offered only to those who may make it.
    """

    from_: Annotated[Names, Field(alias="from", min_length=1)]
    to: Name
    why: str = ""
    events: Names = ()
    roles: Names = ()
    approval: bool = False
    reasons: Names = ()
    documents: Names = ()
    photo: bool = False
    restricted: bool = False

    @property
    def needs(self) -> tuple[frozenset[str], bool, frozenset[str], frozenset[str], bool, bool]:
        """Roles, approval, reasons, documents, photo, and whether it must end where the unit was before."""
        sets = frozenset(self.roles), frozenset(self.reasons), frozenset(self.documents)
        return sets[0], self.approval, sets[1], sets[2], self.photo, self.to == PREVIOUS


def _named(value: object) -> object:
    """A name alone is short for a thing that has only a name."""
    if isinstance(value, list | tuple):
        return tuple({"name": item} if isinstance(item, str) else item for item in value)
    return value


class Lifecycle(Document):
    """Statuses, the states they map to, and the only changes allowed between them.

    Attributes:
        name: For people, and for the record of what was decided.
        description: One sentence.
        default: The status of a new unit.
        initial: Further statuses in which a unit may begin.
        between: Whether transitions name `statuses` or `states`. Where they name states, every status follows the
            rules of its state, and a change between two statuses of one state is free.
        states: The states; a name alone will do.
        statuses: The statuses; a name alone will do. The first of a state stands for it where an event leads there.
        transitions: The allowed changes. What is not listed is refused.

    Raises:
        PolicyError: `name_duplicate`, `name_reserved`, `status_unknown`, `state_unknown`, `status_unreachable`,
            `transition_duplicate`, `event_ambiguous`, `restricted_contradiction`, `lifecycle_too_large`.

    Example:
        >>> lifecycle = Lifecycle.load("serial")
        >>> lifecycle.targets("Shipped")
        ('Delivered', 'Under Service')
        >>> lifecycle.next_on("carrier_confirmation", "Shipped")
        'Delivered'
        >>> lifecycle.statuses_allocatable
        ('Available',)
    """

    kind: ClassVar[str] = "lifecycle"

    name: Name
    description: str = ""
    default: Name
    initial: Names = ()
    between: Literal["statuses", "states"] = "statuses"
    states: Annotated[tuple[State, ...], BeforeValidator(_named, json_schema_input_type=tuple[State | Name, ...])] = ()
    statuses: Annotated[
        tuple[Status, ...],
        Field(min_length=1),
        BeforeValidator(_named, json_schema_input_type=tuple[Status | Name, ...]),
    ]
    transitions: tuple[Transition, ...] = ()

    # --- what it says ---

    @cached_property
    def state_of(self) -> dict[str, str]:
        """The state of each status."""
        return {status.name: status.state or status.name for status in self.statuses}

    @property
    def statuses_allocatable(self) -> tuple[str, ...]:
        """The statuses whose stock may be promised: the `statuses` of a policy."""
        return tuple(status.name for status in self.statuses if status.allocatable)

    @property
    def statuses_initial(self) -> tuple[str, ...]:
        """The statuses in which a unit may begin, the default first."""
        begin = {self.subject(name) for name in (self.default, *self.initial)}
        return (self.default, *(s for s in self.state_of if s != self.default and self.subject(s) in begin))

    @property
    def roles(self) -> tuple[str, ...]:
        """All roles that the transitions name, in alphabetical order."""
        return tuple(sorted({name for transition in self.transitions for name in transition.roles}))

    @property
    def reasons(self) -> tuple[str, ...]:
        """All reason codes that the transitions name, in alphabetical order."""
        return tuple(sorted({name for transition in self.transitions for name in transition.reasons}))

    @property
    def documents(self) -> tuple[str, ...]:
        """All kinds of document that the transitions name, in alphabetical order."""
        return tuple(sorted({name for transition in self.transitions for name in transition.documents}))

    def subject(self, status: str) -> str:
        """What transitions name for this status: itself, or its state."""
        return self.state_of.get(status, status) if self.between == "states" else status

    @cached_property
    def rules(self) -> dict[tuple[str, str], Transition]:
        """The transition of each pair of subjects, `$previous` spelled out as what a unit may have been before."""
        return {pair: transition for _, pair, transition in _pairs(self)}

    def rule(self, status_from: str, status_to: str) -> Transition | None:
        """The transition between two statuses; None where there is none."""
        return self.rules.get((self.subject(status_from), self.subject(status_to)))

    def is_within_state(self, status_from: str, status_to: str) -> bool:
        """Whether the change is one of status only, which is free where transitions are between states."""
        return status_from != status_to and self.subject(status_from) == self.subject(status_to)

    def targets(self, status: str, *, restricted: bool = False) -> tuple[str, ...]:
        """The statuses to which a unit of this status may change, in the order of the lifecycle.

        Args:
            status: The status that the unit has.
            restricted: Whether to name also those outside the normal course.
        """
        rules = {name: self.rule(status, name) for name in self.state_of}
        return tuple(
            name
            for name, rule in rules.items()
            if (self.is_within_state(status, name) if rule is None else restricted or not rule.restricted)
        )

    def next_on(self, event: str, status: str) -> str | None:
        """The status to which an event changes a unit of this status; None where it changes nothing."""
        for (start, end), rule in self.rules.items():
            if start == self.subject(status) and event in rule.events:
                return next(name for name in self.state_of if self.subject(name) == end)
        return None

    def describe(self) -> str:
        """The whole lifecycle in plain words, one line per change."""
        return lifecycle_text.in_words(self)

    def table(self) -> str:
        """The changes as a Markdown table, one row per transition."""
        return lifecycle_text.markdown(self)

    def mermaid(self) -> str:
        """The changes as a Mermaid state diagram."""
        return lifecycle_text.mermaid(self)

    # --- what is wrong with it ---

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        problems = list(_names_that_clash(self)) or [
            *_names_unknown(self),
            *_contradictions(self),
            *_pairs_given_twice(self),
            *_events_ambiguous(self),
        ]
        if not problems:
            problems = list(_statuses_unreachable(self))
        if problems:
            raise PolicyError(problems)
        return self


def _pairs(lifecycle: Lifecycle) -> Iterator[tuple[int, tuple[str, str], Transition]]:
    """Each transition once per pair of subjects that it allows, with its place in the document."""
    for place, transition in enumerate(lifecycle.transitions):
        for start in transition.from_:
            if transition.to != PREVIOUS:
                yield place, (start, transition.to), transition
                continue
            for before in lifecycle.transitions:
                if before.to == start:
                    yield from ((place, (start, name), transition) for name in before.from_ if name != start)


def _names_that_clash(lifecycle: Lifecycle) -> Iterator[Problem]:
    states, statuses = [s.name for s in lifecycle.states], [s.name for s in lifecycle.statuses]
    for column, names in (("states", states), ("statuses", statuses)):
        seen: dict[str, str] = {}
        for place, name in enumerate(names):
            where = f"{column}.{place}.name"
            alike = unicodedata.normalize("NFKC", name).casefold()
            if name.startswith("$"):
                yield Problem("name_reserved", "names that begin with $ have a meaning", column=where, value=name)
            if alike in seen:
                message = f"there is {seen[alike]!r} already, and people cannot tell the two apart"
                yield Problem("name_duplicate", message, column=where, value=name)
            seen.setdefault(alike, name)
    counts = {
        "statuses": len(statuses),
        "roles": len(lifecycle.roles),
        "reasons": len(lifecycle.reasons),
        "documents": len(lifecycle.documents),
        "combinations of needs": len({transition.needs for transition in lifecycle.transitions}),
    }
    for column, count in counts.items():
        if count > NAMES_MAX:
            message = f"there are {count} different {column}, at most {NAMES_MAX} are possible"
            yield Problem("lifecycle_too_large", message, column="transitions" if " " in column else column)


def _names_unknown(lifecycle: Lifecycle) -> Iterator[Problem]:
    statuses = [status.name for status in lifecycle.statuses]
    states = [state.name for state in lifecycle.states] or sorted(set(lifecycle.state_of.values()))
    for place, status in enumerate(lifecycle.statuses):
        if lifecycle.state_of[status.name] not in states and (lifecycle.states and status.state):
            yield _unknown("state", f"statuses.{place}.state", status.state or "", states)
    for column, name in [("default", lifecycle.default), *(("initial", name) for name in lifecycle.initial)]:
        if name not in statuses:
            yield _unknown("status", column, name, statuses)
    what, known = ("state", states) if lifecycle.between == "states" else ("status", statuses)
    for place, transition in enumerate(lifecycle.transitions):
        for column, names in (("from", transition.from_), ("to", (transition.to,))):
            for name in names:
                if name not in known and not (column == "to" and name == PREVIOUS):
                    yield _unknown(what, f"transitions.{place}.{column}", name, known)


def _unknown(what: str, column: str, name: str, known: Sequence[str]) -> Problem:
    hint = did_you_mean(name, known) or f"There are {', '.join(known)}"
    code = "state_unknown" if what == "state" else "status_unknown"
    return Problem(code, f"there is no {what} of this name", column=column, value=name, hint=hint)


def _contradictions(lifecycle: Lifecycle) -> Iterator[Problem]:
    for place, transition in enumerate(lifecycle.transitions):
        column = f"transitions.{place}"
        if transition.restricted and not transition.roles:
            message = "a restricted transition must say which roles may make it"
            yield Problem("restricted_contradiction", message, column=f"{column}.roles")
        if transition.events and (transition.restricted or transition.approval):
            message = "a transition that an event makes by itself can neither be restricted nor wait for approval"
            yield Problem("restricted_contradiction", message, column=f"{column}.events")


def _pairs_given_twice(lifecycle: Lifecycle) -> Iterator[Problem]:
    seen: dict[tuple[str, str], int] = {}
    for place, pair, _ in _pairs(lifecycle):
        if pair in seen and (seen[pair] != place or lifecycle.transitions[place].to != PREVIOUS):
            message = f"{pair[0]} to {pair[1]} is allowed already, by transitions.{seen[pair]}"
            hint = "One pair has one transition: join the two"
            yield Problem("transition_duplicate", message, column=f"transitions.{place}", hint=hint)
        seen.setdefault(pair, place)


def _events_ambiguous(lifecycle: Lifecycle) -> Iterator[Problem]:
    seen: dict[tuple[str, str], str] = {}
    for place, (start, end), transition in _pairs(lifecycle):
        for event in transition.events:
            if transition.to == PREVIOUS or seen.setdefault((start, event), end) != end:
                message = f"from {start} the event {event!r} leads to {seen.get((start, event), 'one')} and to {end}"
                yield Problem("event_ambiguous", message, column=f"transitions.{place}.events", value=event)


def _statuses_unreachable(lifecycle: Lifecycle) -> Iterator[Problem]:
    reached: set[str] = set()
    ahead = list(lifecycle.statuses_initial)
    while ahead:
        status = ahead.pop()
        if status not in reached:
            reached.add(status)
            ahead.extend(lifecycle.targets(status, restricted=True))
    for place, name in enumerate(lifecycle.state_of):
        if name not in reached:
            message = "no unit can ever have this status"
            hint = "Name it in initial, or add a transition to it"
            yield Problem("status_unreachable", message, column=f"statuses.{place}", value=name, hint=hint)
