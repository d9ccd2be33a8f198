"""Problems found in tables, collected until all were looked for."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from allocator.errors import AllocatorError, InputError, PolicyError, Problem

ROWS_MAX = 100
"""How many rows are listed per table, column and code; the message counts all of them."""

VALUE_LENGTH_MAX = 80

DOCUMENTS = {"policy", "reallocation"}
"""What is no table."""


_AMONG = re.compile(r" \(one of (\d+) rows; the first \d+ are listed\)$")


def among(message: str, listed: int, count: int) -> str:
    """The message of one of so many rows that are wrong alike."""
    return message if count <= listed else f"{message} (one of {count} rows; the first {listed} are listed)"


def alone(message: str) -> tuple[str, int | None]:
    """The message without what `among` added, and of how many rows it spoke."""
    found = _AMONG.search(message)
    return (message, None) if found is None else (message[: found.start()], int(found[1]))


def shown(value: object) -> str:
    """A value as text, cut to what a message can bear."""
    text = str(value)
    return text if len(text) <= VALUE_LENGTH_MAX else text[: VALUE_LENGTH_MAX - 1] + "…"


@dataclass(frozen=True, slots=True)
class Check:
    """One way in which rows of a column can be wrong.

    Attributes:
        code: The problem's code.
        column: The column that is blamed, and whose value is shown.
        bad: A boolean expression that is true on the rows that are wrong; null counts as not wrong.
        message: What is wrong with such a row, in one sentence without its full stop.
        hint: What to do.
        since_1970: For dates that no calendar has: the value is shown as a count of this since 1970.
    """

    code: str
    column: str
    bad: pl.Expr
    message: str
    hint: str = ""
    since_1970: str = ""


@dataclass
class Findings:
    """All problems found so far.

    Attributes:
        problems: In the order in which they were found.
        numbers: Of a table that is part of a larger one: which rows of that one these are.
        unread: By table and column: which cells hold text that could not be read. That was told; they are null.
    """

    problems: list[Problem] = field(default_factory=list)
    numbers: dict[str, pl.Series] = field(default_factory=dict)
    unread: dict[str, dict[str, pl.Series]] = field(default_factory=dict)

    def onward(self) -> Findings:
        """No problems yet, of the same tables: for checks whose problems are told beside these."""
        return Findings(numbers=self.numbers, unread=self.unread)

    def add(
        self, code: str, message: str, table: str, column: str = "", *, value: object = None, hint: str = ""
    ) -> None:
        """Notes a problem of a whole table or column."""
        text = None if value is None else shown(value)
        self.problems.append(Problem(code, message, table, column, value=text, hint=hint))

    def rows(self, check: Check, table: str, found: Sequence[tuple[int, object]], count: int) -> None:
        """Notes that `count` rows fail a check; the first of them are given as (row, value)."""
        message = among(check.message, len(found), count)
        for at, value in found:
            row = self.row_given(table, at)
            text = None if value is None else shown(value)
            self.problems.append(Problem(check.code, message, table, check.column, row, text, check.hint))

    def row_given(self, table: str, at: int) -> int:
        """The row of the table as it was given."""
        return self.numbers[table][at] if table in self.numbers else at

    def legible(self, table: str, rows: int) -> pl.Series:
        """Which of the rows of a table have no text that could not be read."""
        return pl.select(~pl.any_horizontal(pl.repeat(False, rows), *self.unread.get(table, {}).values())).to_series()

    def run(self, table: str, frame: pl.DataFrame, checks: list[Check]) -> None:
        """Runs all checks in one pass over the frame, and looks for rows only where something is wrong."""
        counts = frame.select(check.bad.sum().alias(str(number)) for number, check in enumerate(checks))
        for check, count in zip(checks, counts.row(0) if checks else (), strict=True):
            if count:
                rows = frame.select(pl.arg_where(check.bad).head(ROWS_MAX)).to_series()
                values = frame.get_column(check.column).gather(rows)
                if check.since_1970:
                    values = values.to_physical().cast(pl.String) + f" {check.since_1970} since 1970-01-01"
                self.rows(check, table, list(zip(rows, values, strict=True)), count)

    def error(self) -> AllocatorError | None:
        """All problems as one error, by table, column and row; a `PolicyError` if only documents are to blame."""
        if not self.problems:
            return None
        tables = {"stock": 0, "demand": 1, "policy": 2}
        ordered = sorted(
            self.problems, key=lambda p: (tables.get(p.table, 3), p.column, p.code, -1 if p.row is None else p.row)
        )
        blame = PolicyError if all(problem.table in DOCUMENTS for problem in ordered) else InputError
        return blame(ordered)

    def raise_any(self) -> None:
        """Raises what was found, if anything was."""
        if (error := self.error()) is not None:
            raise error


def gathered(
    makers: Mapping[str, Callable[[], Any]], then: Callable[[dict[str, Any]], list[Problem]] | None = None
) -> dict[str, Any]:
    """What the makers make, by name.

    Args:
        makers: Each makes one thing, or raises.
        then: Looks for more problems in what could be made, if something could not.

    Raises:
        AllocatorError: With the problems of all that could not be made.
    """
    found: dict[str, Any] = {}
    errors: list[AllocatorError] = []
    for name, make in makers.items():
        try:
            found[name] = make()
        except AllocatorError as error:
            errors.append(error)
    if not errors:
        return found
    problems = [problem for error in errors for problem in error.problems]
    if then is not None:
        problems += then(found)
    kinds = {type(error) for error in errors} if len(problems) == sum(len(e.problems) for e in errors) else set()
    kind = kinds.pop() if len(kinds) == 1 else InputError
    raise kind(problems)
