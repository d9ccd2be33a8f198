"""Who has what while it is dealt: what lines had and still have, and what they took since."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from allocator.reallocation.runs import TAKES

Units = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.intp]


class Holdings:
    """What lines have of stock rows. Sums by line and by row are kept, so that a stage costs what it changes.

    Attributes:
        line: The line of each thing that somebody had before; likewise `row`, its stock row.
        qty: How much of it the line still has, units of the row; likewise `served`, units of the line.
        sure: Whether nobody can take from a line any more what it had before.
        by_line: What each line has in all, units of the line.
        by_row: What lines have of each row in all.
    """

    def __init__(self, had: pl.DataFrame, keeps: Flags, by_line: Units, by_row: Units) -> None:
        """What lines had, as far as they keep it.

        Args:
            had: `s`, `l`, `qty`, `served`, by `s`.
            keeps: Whether a line keeps each of them.
            by_line: What each line had in all.
            by_row: What lines had of each row in all.
        """
        self.line, self.row = had["l"].to_numpy(), had["s"].to_numpy()
        self.qty, self.served = had["qty"].to_numpy().copy(), had["served"].to_numpy().copy()
        self.sure = np.zeros(by_line.size, bool)
        self.by_line, self.by_row = by_line.copy(), by_row.copy()
        self._taken = pl.DataFrame(schema=TAKES)
        self._empty(np.flatnonzero(~keeps))

    @property
    def taken(self) -> pl.DataFrame:
        """What lines have beside what is left of those things: `l`, `s`, `qty`, `served`."""
        return self._taken

    def make_sure(self, lines: Flags) -> None:
        """Nobody takes from these lines any more."""
        self.sure |= lines

    def take(self, takes: pl.DataFrame) -> None:
        """Lines have this, too, and nobody takes it from them."""
        self._taken = pl.concat([self._taken, takes])
        np.add.at(self.by_line, takes["l"].to_numpy(), takes["served"].to_numpy())
        np.add.at(self.by_row, takes["s"].to_numpy(), takes["qty"].to_numpy())

    def of(self, lines: Flags) -> Rows:
        """The things that these lines have left of those before."""
        return np.flatnonzero(lines[self.line] & (self.qty > 0))

    def drop(self, lines: Flags) -> None:
        """Lines give back all they have."""
        self._empty(self.of(lines))
        theirs = lines[self._taken["l"].to_numpy()]
        if theirs.any():
            gone = self._taken.filter(pl.Series(theirs))
            np.subtract.at(self.by_line, gone["l"].to_numpy(), gone["served"].to_numpy())
            np.subtract.at(self.by_row, gone["s"].to_numpy(), gone["qty"].to_numpy())
            self._taken = self._taken.filter(pl.Series(~theirs))

    def _empty(self, things: Rows) -> None:
        np.subtract.at(self.by_line, self.line[things], self.served[things])
        np.subtract.at(self.by_row, self.row[things], self.qty[things])
        self.qty[things], self.served[things] = 0, 0

    def set(self, things: Rows, qty: Units, served: Units) -> None:
        """How much lines have of some things, from now on."""
        np.add.at(self.by_line, self.line[things], served - self.served[things])
        np.add.at(self.by_row, self.row[things], qty - self.qty[things])
        self.qty[things], self.served[things] = qty, served

    def cut(self, things: Rows, there: Units, packs: Units | None) -> None:
        """Takes from things what their rows do not have any more; an exchange of a substitute, or a pack, stays whole.

        Args:
            things: By row, those who keep first; all of these rows that are not sure.
            there: What there is of each row of the table.
            packs: The pack of each line; None if none has one.
        """
        row, qty, served = self.row[things], self.qty[things], self.served[things]
        first = np.flatnonzero(np.diff(row, prepend=-1) != 0)
        if not first.size:
            return
        count = np.diff(np.append(first, row.size))
        total = np.add.reduceat(qty, first)
        so_far = np.cumsum(qty)
        ahead = so_far - qty - np.repeat((so_far - qty)[first], count)
        room = np.repeat(there[row[first]] - (self.by_row[row[first]] - total), count)
        left = np.clip(room - ahead, 0, qty)
        alike = qty == served
        less = left != qty
        left[~alike & less] = 0
        if packs is not None:
            left[less] -= left[less] % packs[self.line[things[less]]]
        self.set(things, left, np.where(alike, left, np.where(left > 0, served, 0)))
