"""The solver, HiGHS: the only importer of `highspy`, which is loaded when the first problem is solved."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from allocator.errors import FileError, Problem
from allocator.optimum.ground import Ints
from allocator.optimum.program import INF, Floats, Program

Status = Literal["optimal", "within_gap", "stopped", "not_begun"]

DUAL_MIN = 1e-6
"""A reduced cost below this is none: those of whole costs over a network are whole."""

POLISH_MIN_S = 5.0
"""For the last step, which is easy, at least so long: it makes a better plan of what a stopped search has found."""


@dataclass(frozen=True, slots=True)
class Stage:
    """What the solver says of one objective.

    Attributes:
        status: `optimal`; `within_gap`: as close to the bound as was asked; `stopped`: the time was over; `not_begun`.
        value: Of the best solution found; None if there is none.
        bound: No solution is better; None if the solver did not get so far as to tell.
        seconds: Time in the solver.
    """

    status: Status
    value: float | None
    bound: float | None
    seconds: float


@dataclass
class Solution:
    """Values of the columns, and how they came about; `values` is None if the time was over before there were any."""

    values: Floats | None = None
    stages: list[Stage] = field(default_factory=list)
    seconds: float = 0.0


class Solver:
    """A program in the solver's hands, asked for one objective after another.

    What an objective has gained stays: later ones choose among the solutions that are as good.
    """

    def __init__(
        self, program: Program, *, gap: float = 0.0, fixed: Floats | None = None, relaxed: bool = False
    ) -> None:
        """Hands a program over.

        Args:
            program: Columns, rows and matrix.
            gap: How far from its bound a solution may be, as a share.
            fixed: Values at which the columns that must be whole are fixed; nothing is left that must be whole.
            relaxed: Nothing must be whole.
        """
        self._api = load()
        integral = np.concatenate(program.integral)
        upper = np.concatenate(program.upper)
        lower = np.zeros(program.columns)
        if fixed is not None:
            lower, upper = np.where(integral, fixed, 0.0), np.where(integral, fixed, upper)
        self.whole = bool(integral.any()) and fixed is None and not relaxed
        self._upper = upper
        low, high = np.concatenate(program.low), np.concatenate(program.high)
        self._highs = self._api.Highs()
        settings = {"output_flag": False, "threads": 1, "random_seed": 0, "mip_rel_gap": gap, "mip_abs_gap": 0.0}
        if gap == 0:  # costs are whole, and so are plans: less than one is no difference
            settings["mip_abs_gap"] = 0.999
        for name, setting in settings.items():
            self._highs.setOptionValue(name, setting)
        row, column, value = program.matrix()
        api, nothing = self._api, np.zeros(0, np.int32)
        self._highs.passModel(
            *(program.columns, program.rows, len(row), 0),
            *(int(api.MatrixFormat.kRowwise), 0, int(api.ObjSense.kMaximize), 0.0),
            *(np.zeros(program.columns), lower, upper, low, high),
            *(np.searchsorted(row, np.arange(program.rows)).astype(np.int32), column.astype(np.int32), value),
            *(nothing, nothing, np.zeros(0), np.full(program.columns, self.whole, np.int32)),
        )
        self._columns = np.arange(program.columns, dtype=np.int32)
        self.values: Floats | None = None

    def suggest(self, values: Floats) -> None:
        """A solution to begin with."""
        self._highs.setSolution(len(values), self._columns, values)

    def solve(self, costs: Floats, seconds: float) -> Stage:
        """The best solution for these costs within so many seconds."""
        if seconds <= 0:
            return Stage("not_begun", None, None, 0.0)
        highs, begun = self._highs, time.perf_counter()
        highs.changeColsCost(len(costs), self._columns, costs)
        highs.setOptionValue("time_limit", highs.getRunTime() + seconds)  # its clock counts all runs
        highs.run()
        spent = time.perf_counter() - begun
        states = self._api.HighsModelStatus
        info, done = highs.getInfo(), highs.getModelStatus() in (states.kOptimal, states.kModelEmpty)
        feasible = info.primal_solution_status == int(self._api.SolutionStatus.kSolutionStatusFeasible)
        if not done and not (feasible and self.whole):
            return Stage("stopped", None, None, spent)
        self.values = np.asarray(highs.getSolution().col_value)
        value = float(info.objective_function_value)
        bound = float(info.mip_dual_bound) if self.whole else value
        if not np.isfinite(bound):
            return Stage("stopped", value, None, spent)
        if not done:
            return Stage("stopped", value, bound, spent)
        return Stage("optimal" if abs(bound - value) < 1 else "within_gap", value, bound, spent)

    def keep(self, costs: Floats) -> None:
        """From now on no solution is worse for these costs than the last one."""
        assert self.values is not None
        if self.whole:
            used = np.flatnonzero(costs).astype(np.int32)
            least = float(np.rint(costs @ np.rint(self.values)))
            self._highs.addRows(
                1, np.array([least]), np.array([INF]), len(used), np.zeros(1, np.int32), used, costs[used]
            )
            self.suggest(self.values)
            return
        # The best solutions of a network are those where what has a price does not move: it stays a network.
        found = self._highs.getSolution()
        moved = np.flatnonzero(np.abs(np.asarray(found.col_dual)) > DUAL_MIN).astype(np.int32)
        at = self.values[moved]
        self._highs.changeColsBounds(len(moved), moved, at, at)
        tight = np.flatnonzero(np.abs(np.asarray(found.row_dual)) > DUAL_MIN).astype(np.int32)
        level = np.asarray(found.row_value)[tight]
        self._highs.changeRowsBounds(len(tight), tight, level, level)

    def raise_upper(self, columns: Ints, by: Floats) -> None:
        """Lets columns go higher by so much."""
        upper = self._upper[columns] + by
        self._highs.changeColsBounds(len(columns), columns.astype(np.int32), np.zeros(len(columns)), upper)

    def prices(self) -> Floats:
        """What one more of each column would gain."""
        return np.asarray(self._highs.getSolution().col_dual)


def solve(
    program: Program, costs: Sequence[Floats], like: Floats, start: Floats | None, *, time_limit: float, gap: float
) -> Solution:
    """The best solution for the first costs, among these the best for the second, and so on.

    Args:
        program: The program.
        costs: What columns count, by objective.
        like: What columns count among solutions that are equally good for all objectives.
        start: A solution, if there must be whole numbers: where the search for them begins.
        time_limit: Seconds.
        gap: How far from its bound a solution may be, as a share.
    """
    solver = Solver(program, gap=gap)
    found = Solution()
    if start is not None:
        solver.suggest(start)
        _in_turn(solver, costs, found, time_limit)
        if found.values is None:
            return found
        # With counts fixed it is a network again, whose best solutions are whole and as good, or better.
        solver = Solver(program, fixed=np.rint(found.values))
        _in_turn(solver, costs, polished := Solution(), max(time_limit - found.seconds, POLISH_MIN_S))
        found.seconds += polished.seconds
        if polished.values is None or polished.stages[-1].status != "optimal":
            return found
        found.values = polished.values
    else:
        _in_turn(solver, costs, found, time_limit)
    if found.values is not None and found.stages[-1].status != "not_begun":
        last = solver.solve(like, time_limit - found.seconds)
        found.seconds += last.seconds
        found.values = solver.values if last.status == "optimal" else found.values
    return found


def _in_turn(solver: Solver, costs: Sequence[Floats], found: Solution, time_limit: float) -> None:
    for number, cost in enumerate(costs):
        stage = solver.solve(cost, time_limit - found.seconds)
        found.stages.append(stage)
        found.seconds += stage.seconds
        found.values = solver.values
        if stage.status == "stopped":
            left = [Stage("not_begun", None, None, 0.0)] * (len(costs) - number - 1)
            found.stages += left
            return
        if stage.status != "not_begun":
            solver.keep(cost)


def load() -> Any:  # noqa: ANN401 - a module
    """The solver's module.

    Raises:
        FileError: `extra_missing`.
    """
    try:
        import highspy  # noqa: PLC0415 - an extra, and slow to load
    except ImportError:
        hint = "Install the extra: pip install 'allocator[optimum]'"
        problem = Problem("extra_missing", "the solver HiGHS is not installed", "optimum", value="highspy", hint=hint)
        raise FileError(problem) from None
    return highspy
