"""A grid: levers of which one setting takes several values, and every combination of these as a scenario."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from itertools import product
from typing import Annotated, Any, ClassVar, Final, Self

from pydantic import Field, model_validator

from allocator.errors import PolicyError, Problem
from allocator.model.consistency import AT_LEAST_ONE, checked, filled
from allocator.model.document import Document, Name, Part
from allocator.model.exact import Constant, Constants
from allocator.model.levers import Lever
from allocator.model.scenario import Scenario, words_of

SCENARIOS_MAX: Final = 10_000
NAME_MAX: Final = 200


class Axis(Part):
    """One lever, of which one setting takes several values.

    Attributes:
        name: What tables and plots call it; the name of the setting if left out.
        vary: The setting, such as `factor` or `days`.
        values: Its values, in the order in which they are shown.
        lever: The lever without that setting, as in a scenario.
    """

    name: Name | None = None
    vary: Name
    values: Annotated[tuple[Constants, ...], AT_LEAST_ONE, checked(filled)]
    lever: dict[Name, Any]

    @property
    def label(self) -> str:
        """What it is called."""
        return self.name or self.vary

    def at(self, number: int) -> dict[str, Any]:
        """The lever with the value of this number."""
        return self.lever | {self.vary: _plain(self.values[number])}


class Grid(Document):
    """Every combination of some values of some levers.

    Attributes:
        name: For people.
        description: One sentence.
        levers: Pulled first in every scenario of the grid; may be empty.
        axes: What varies.

    Raises:
        PolicyError: As `Scenario`, for every lever of every axis; `setting_twice`: two axes of one name, or a value
            twice; `setting_value`: more than 10,000 scenarios.

    Example:
        >>> surge = {"lever": "demand_surge", "where": {"customer": "CLINIC"}}
        >>> grid = Grid(name="rush", axes=[
        ...     {"vary": "factor", "values": [1, "3/2"], "lever": surge},
        ...     {"vary": "days", "values": [7, 14], "lever": {"lever": "supply_late"}},
        ... ])
        >>> [scenario.name for scenario in grid.scenarios()]
        ['factor 1, days 7', 'factor 1, days 14', 'factor 3/2, days 7', 'factor 3/2, days 14']
    """

    kind: ClassVar[str] = "grid"

    name: Name
    description: str = ""
    levers: tuple[Annotated[Lever, Field(discriminator="lever")], ...] = ()
    axes: Annotated[tuple[Axis, ...], AT_LEAST_ONE, checked(filled)]

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        problems = []
        for label, count in Counter(axis.label for axis in self.axes).items():
            if count > 1:
                hint = "Give each axis a name"
                problems.append(
                    Problem("setting_twice", "two axes have this name", column="axes", value=label, hint=hint)
                )
        for number, axis in enumerate(self.axes):
            seen: set[str] = set()
            for place, text in enumerate(map(text_of, axis.values)):
                if text in seen:
                    at = f"axes.{number}.values.{place}"
                    problems.append(Problem("setting_twice", "the axis has this value already", column=at, value=text))
                seen.add(text)
        count = math.prod(len(axis.values) for axis in self.axes)
        if count > SCENARIOS_MAX:
            message = f"the grid has {count:,} scenarios, more than {SCENARIOS_MAX:,}"
            problems.append(Problem("setting_value", message, column="axes", value=str(count)))
        problems += [problem for number in range(len(self.axes)) for problem in self._wrong(number)]
        if problems:
            raise PolicyError(problems)
        return self

    def _wrong(self, number: int) -> list[Problem]:
        """What is wrong with the levers of an axis, each value by itself; of one problem, only the first value."""
        axis = self.axes[number]
        found: dict[tuple[str, str | int], Problem] = {}
        if axis.vary in axis.lever:
            message = f"the lever has {axis.vary} already, which is to vary"
            return [Problem("setting_conflict", message, column=f"axes.{number}.lever", value=axis.vary)]
        for place in range(len(axis.values)):
            try:
                _scenario("one", [axis.at(place)])
            except PolicyError as error:
                for problem in error.problems:
                    path = problem.column.split(".")[3:]
                    own = path[:1] == [axis.vary]
                    at = f"values.{place}" if own else ".".join(["lever", *path])
                    told = replace(problem, table="", column=f"axes.{number}.{at}")
                    found.setdefault((problem.code, at), told)
        return list(found.values())

    def describe(self) -> str:
        """The document in plain words, a line for each lever and axis."""
        count = math.prod(len(axis.values) for axis in self.axes)
        head = f"{self.name}: {self.description or 'every combination'}".rstrip(".")
        told = [f"{head}. {count:,} scenarios.", *words_of(self.levers)]
        for axis in self.axes:
            values = ", ".join(map(text_of, axis.values))
            told.append(f"{axis.label}: {axis.vary} of {str(axis.lever['lever']).replace('_', ' ')} is {values}.")
        return "\n".join(told)

    def scenarios(self) -> list[Scenario]:
        """Every combination, the last axis fastest, each named by its values.

        Raises:
            PolicyError: `setting_conflict`: two levers of a combination say two things of one setting.
        """
        return [self.scenario(places) for places in self.places()]

    def scenario(self, places: tuple[int, ...]) -> Scenario:
        """One combination: the number of the value of each axis, from 0."""
        said = ", ".join(f"{axis.label} {value}" for axis, value in zip(self.axes, self.said(places), strict=True))
        levers = [*self.levers, *(axis.at(place) for axis, place in zip(self.axes, places, strict=True))]
        return _scenario(said[:NAME_MAX].rstrip(), levers)

    def places(self) -> list[tuple[int, ...]]:
        """The number of the value of each axis, for every combination."""
        return list(product(*(range(len(axis.values)) for axis in self.axes)))

    def alone(self, axis: int, place: int) -> Scenario:
        """One value of one axis, the others left as they are without any lever."""
        label, said = self.axes[axis].label, text_of(self.axes[axis].values[place])
        return _scenario(f"{label} {said}"[:NAME_MAX].rstrip(), [*self.levers, self.axes[axis].at(place)])

    def said(self, places: tuple[int, ...]) -> list[str]:
        """The values of a combination as text."""
        return [text_of(axis.values[place]) for axis, place in zip(self.axes, places, strict=True)]


def _scenario(name: str, levers: list[Any]) -> Scenario:
    """Levers as people write them, and as they are."""
    settings: dict[str, Any] = {"name": name, "levers": levers}
    return Scenario(**settings)


def text_of(value: Any) -> str:  # noqa: ANN401 - a constant, or several
    """A value as people write it."""
    return "+".join(map(text_of, value)) if isinstance(value, tuple) else str(value)


def _plain(value: Constant | tuple[Constant, ...]) -> Any:  # noqa: ANN401
    """The value as a document would have it: text and days are told apart by the lever that takes them."""
    return [_plain(each) for each in value] if isinstance(value, tuple) else value
