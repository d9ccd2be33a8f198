"""What is, bound once; and what would be, worked out again only where a scenario changes it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property, partial
from typing import Final

import numpy as np
import polars as pl

from allocator.engine import CORE, BoundPlan
from allocator.errors import InputError, Problem
from allocator.frames.findings import Findings
from allocator.frames.named import check_named
from allocator.frames.prepare import Prepared, Table
from allocator.frames.quantity import constants
from allocator.frames.read import Source
from allocator.model.chance import Uncertain
from allocator.model.dealing import Dealing, DealingLever, FairShares, StockLimits
from allocator.model.document import did_you_mean
from allocator.model.levers import DemandNew, NewRows, PolicyLever, RowLever
from allocator.model.policy import Policy
from allocator.model.scenario import Scenario
from allocator.plan.compile import compile_columns
from allocator.plan.keys import Columns, PartColumns, Picks
from allocator.result import Bound, Result, bound_with_columns
from allocator.scenario.additions import ROW, added, bases, quantities_named, quantities_of
from allocator.scenario.ceilings import Ceilings, capped, ceilings, noted, reasons
from allocator.scenario.compare import After, Comparison
from allocator.scenario.compete import Competition, Numbers
from allocator.scenario.dealt import dealt
from allocator.scenario.draw import Draws, check_per
from allocator.scenario.given import expect
from allocator.scenario.laid import Laid, picks
from allocator.scenario.measure import Measures, terms_of
from allocator.scenario.msl import fullness
from allocator.scenario.orders import Orders
from allocator.scenario.part import Answered, Part
from allocator.scenario.policies import policy_under, skus_concerned
from allocator.scenario.rows import Changed, table_of
from allocator.scenario.select import check_where, matches, values_of

PART_AT_MOST = 0.5
"""Beyond this share of the groups all are worked out again: leaving some out would cost more than it saves."""


CHANGED: Final = ("status",)
"""The columns of text that levers may change."""


class Base:
    """Stock, demand and a policy on a day, allocated once; scenarios are compared with it.

    A scenario never copies it: the groups of SKUs that a lever touches, and what competes with them through substitutes
    or whole orders, are gathered and allocated again; the rest of the answer stands. What comes out is what a run of
    everything would give, always. Nothing here changes any data.

    Attributes:
        bound: The tables as they were understood, and the policy.
        result: The allocation without any lever.
        terms: What is measured.
    """

    def __init__(
        self,
        stock: Source,
        demand: Source,
        policy: Policy | None = None,
        *,
        as_of: dt.date,
        by: str | Sequence[str] = (),
        horizon_days: int = 30,
        threads: int | None = None,
    ) -> None:
        """Allocates, and sorts rows by what competes.

        Args:
            stock: As for `allocate`; likewise `demand`, `policy`, `as_of` and `threads`.
            demand: The lines.
            policy: The default one if left out.
            as_of: The day on which is decided.
            by: Demand columns whose values are the segments that should be filled alike, such as `customer`.
            horizon_days: Stock left over that expires within so many days counts as going to waste.
            threads: How many threads work on it.

        Raises:
            InputError: As `allocate`; `column_missing`: demand has no column of `by`; `argument_type`,
                `argument_value`: of `by` or `horizon_days`.
            PolicyError: As `allocate`.
            FileError: As `allocate`.

        Example:
            >>> import datetime as dt
            >>> from allocator.model.levers import DemandSurge
            >>> from allocator.model.scenario import Scenario
            >>> stock = {"stock_id": ["A", "B"], "sku": ["X", "Y"], "qty_on_hand": [10, 5]}
            >>> demand = {"line_id": ["1", "2", "3"], "sku": ["X", "X", "Y"], "qty": [4, 6, 5]}
            >>> base = Base(stock, demand, as_of=dt.date(2026, 11, 1))
            >>> rush = base.run(Scenario(name="rush", levers=[DemandSurge(where={"line_id": "1"}, factor=2)]))
            >>> rush.changes.select("line_id", "change", "allocated_before", "allocated_after", "reason_after").rows()
            [('1', 'gained', 4, 8, None), ('2', 'lost', 6, 2, 'taken')]
            >>> rush.lines_run
            2
        """
        self.bound, self._columns = bound_with_columns(stock, demand, policy, as_of=as_of)
        self.threads = threads
        self.terms = terms_of(by, horizon_days, self.bound.prepared.demand.frame)
        self.result: Result = self.bound.run(threads=threads)
        self._answered = Answered(self.result.answer, self.bound.prepared)

    @property
    def policy(self) -> Policy:
        """The policy of the base."""
        return self.bound.policy

    @cached_property
    def competition(self) -> Competition:
        """What competes with what."""
        return Competition(self.bound.prepared, self.policy)

    @cached_property
    def _laid(self) -> tuple[Laid, Laid]:
        """Stock and demand laid out by what competes."""
        prepared, competition = self.bound.prepared, self.competition
        return Laid(prepared.stock.frame, competition.stock), Laid(prepared.demand.frame, competition.demand)

    @cached_property
    def draws(self) -> Draws:
        """What levers that draw are given."""
        return Draws(self.bound.prepared)

    @cached_property
    def measures(self) -> Measures:
        """What is measured of the base."""
        (found,) = Measures.of(self._part(None), terms=self.terms)
        return replace(found, sums={**found.sums, **self.orders.sums})

    @cached_property
    def orders(self) -> Orders:
        """The orders of the base."""
        return Orders(self._part(None))

    @property
    def kpis(self) -> dict[str, float | None]:
        """The measures of the base by name, as in `Comparison.kpis`."""
        return self.measures.kpis()

    def run(self, scenario: Scenario) -> Comparison:
        """Pulls the levers, and compares what comes of it with the base.

        Cost: that of an allocation of the rows that compete with what the levers touch. A lever that says which SKUs
        it means finds them by an index; any other looks through the columns that it names once.

        Raises:
            InputError: With every problem of all levers: `column_missing`, `column_type`, `sku_unknown`, `lever_empty`,
                `lever_conflict`, `id_duplicate`, `qty_step`, `value_overflow`, and what is wrong with rows they add.
        """
        expect("scenario", scenario, Scenario)
        findings = Findings()
        policy = policy_under(self.policy, scenario.levers, findings)
        tables = bases(self.bound.prepared)
        named = Findings()
        check_named({name: table.frame for name, table in tables.items()}, policy, named)
        constants(policy, self.bound.prepared.stock.scale, named)
        findings.problems += [replace(problem, table="scenario") for problem in named.problems]
        further = quantities_named(tables["demand"], self.policy, policy, findings)
        additions = self._additions(scenario, policy, findings)
        for number, lever in enumerate(scenario.levers):
            if isinstance(lever, RowLever):
                table, path = tables[table_of(lever)], f"levers.{number}"
                check_where(lever.where, table.name, table.frame, self.competition, path=path, findings=findings)
                if isinstance(lever, Uncertain):
                    check_per(lever, table, path, findings)
        _raise_any(findings)
        before = self._part(self._groups(scenario, policy, additions))
        held = {**before.quantities, "demand": (*before.quantities["demand"], *(series.name for series in further))}
        start = replace(before, demand=before.demand.with_columns(further), policy=policy, quantities=held)
        after = self._after(scenario, before, start, additions=additions, findings=findings)
        return Comparison(self, scenario, before, after)

    def part_of_everything(self) -> Part:
        """Everything, as it is."""
        return self._part(None)

    def part_of_sku(self, sku: str | int) -> Part:
        """Everything that competes with a SKU, as it is; nothing if there is no such SKU."""
        return self._part(np.unique(self._groups_of_skus(pl.Series([sku]))))

    def part_of_lines(self, rows: Numbers) -> Part:
        """Everything that competes with some lines, by their row, as it is."""
        return self._part(self.competition.groups_of("demand", rows))

    def _additions(self, scenario: Scenario, policy: Policy, findings: Findings) -> dict[int, pl.DataFrame]:
        """The rows that levers add, by the number of the lever."""
        tables, found = bases(self.bound.prepared), {}
        for number, lever in enumerate(scenario.levers):
            if isinstance(lever, NewRows):
                path = f"levers.{number}.{'lines' if isinstance(lever, DemandNew) else 'rows'}"
                rows = added(lever, tables[table_of(lever)], policy, path, findings)
                if rows is not None:
                    found[number] = rows
        self._check_skus(scenario, found, findings)
        return found

    def _check_skus(self, scenario: Scenario, additions: dict[int, pl.DataFrame], findings: Findings) -> None:
        """Notes SKUs that are neither in the base nor both asked for and supplied by the scenario."""
        named: dict[str, set[object]] = {"demand": set(), "stock": set()}
        for number, rows in additions.items():
            named[table_of(scenario.levers[number])] |= set(rows["sku"])  # type: ignore[arg-type]
        for number, rows in additions.items():
            unknown = rows["sku"].filter(~self.competition.codes(rows["sku"])[1]).unique(maintain_order=True)
            for sku in unknown:
                if sku not in named["demand"] & named["stock"]:
                    hint = did_you_mean(str(sku), self.competition.skus.head(10_000).cast(pl.String).to_list())
                    message = "neither stock nor demand has this SKU"
                    findings.add("sku_unknown", message, "scenario", f"levers.{number}", value=sku, hint=hint)

    def _groups(self, scenario: Scenario, policy: Policy, additions: dict[int, pl.DataFrame]) -> Numbers | None:
        """The groups that the levers touch; None for all."""
        found = [np.empty(0, np.int64)]
        for number, lever in enumerate(scenario.levers):
            if isinstance(lever, RowLever):
                touched = self._groups_of_rows(lever)
            elif isinstance(lever, PolicyLever):
                touched = self._groups_of_rule(lever, policy)
            elif isinstance(lever, DealingLever):
                # Quotas hold across SKUs, and a plan may move any line; shares of single SKUs are dealt by themselves.
                skus = lever.skus if isinstance(lever, FairShares) else ()
                touched = self._groups_of_names(skus) if skus else None
            else:
                joined = self._groups_of_orders(additions[number])
                touched = np.concatenate([joined, self._groups_of_skus(additions[number]["sku"])])
            if touched is None:
                return None
            found.append(touched)
        groups = np.unique(np.concatenate(found))
        return groups if groups.size <= self.competition.size * PART_AT_MOST else None

    def _groups_of_rows(self, lever: RowLever) -> Numbers | None:
        if not lever.where:
            return None
        if "sku" in lever.where:
            return self._groups_of_skus(pl.Series(list(values_of(lever.where["sku"]))))
        table = bases(self.bound.prepared)[table_of(lever)]
        return self._groups_where(table.name, matches(lever.where, table))

    def _groups_of_rule(self, lever: PolicyLever, policy: Policy) -> Numbers | None:
        concerned = skus_concerned(lever, self.policy, policy, self.bound.prepared.stock.frame)
        if concerned is None:
            return None
        if isinstance(concerned, pl.Expr):
            return self._groups_where("stock", concerned)
        return self._groups_of_names(sorted(concerned))

    def _groups_of_names(self, skus: Sequence[str]) -> Numbers:
        """The groups of SKUs as documents spell them."""
        names = pl.Series(skus, dtype=pl.String)
        return self._groups_of_skus(names.cast(self.competition.skus.dtype, strict=False).drop_nulls())

    def _groups_of_skus(self, skus: pl.Series) -> Numbers:
        return self.competition.groups[self.competition.codes(skus)[0]]

    def _groups_where(self, table: str, condition: pl.Expr) -> Numbers:
        frame = bases(self.bound.prepared)[table].frame
        rows = frame.select(pl.arg_where(condition)).to_series().to_numpy().astype(np.int64)
        return self.competition.groups_of(table, rows)

    def _groups_of_orders(self, rows: pl.DataFrame) -> Numbers:
        """What the orders that new lines join ask for: it may be served with them, or not at all."""
        demand = self.bound.prepared.demand.frame
        if "order_id" not in rows.columns:
            return np.empty(0, np.int64)
        column = "order_id" if "order_id" in demand.columns else "line_id"
        orders = rows["order_id"].cast(pl.String).unique().to_list()
        return self._groups_where("demand", pl.col(column).cast(pl.String).is_in(orders))

    def _part(self, groups: Numbers | None) -> Part:
        """The base's rows, lines and answer within these groups."""
        prepared = self.bound.prepared
        if groups is None:
            stock, demand = (
                table.frame.with_columns(pl.Series(ROW, np.arange(table.frame.height)))
                for table in (prepared.stock, prepared.demand)
            )
            lines, takes = self._answered.whole()
            stretches = None
        else:
            of_stock, of_demand = self._laid
            stretches = of_stock.stretch(groups), of_demand.stretch(groups)
            stock, demand = of_stock.frame(stretches[0]), of_demand.frame(stretches[1])
            lines, takes = self._answered.of(stretches[0].rows, of_demand.pick(stretches[1], stretches[1].rows))
        held = quantities_of(prepared)
        return Part(stock, demand, lines, takes, self.policy, prepared.stock.scale, self.bound.as_of, held, stretches)

    def _after(
        self, scenario: Scenario, before: Part, start: Part, *, additions: dict[int, pl.DataFrame], findings: Findings
    ) -> After:
        """The part as the levers leave it, allocated again under their policy."""
        fresh = self._pulled(scenario, start, additions, findings)
        _raise_any(findings)
        policy, day = start.policy, self.bound.as_of
        heights = {name: table.frame.height for name, table in bases(self.bound.prepared).items()}
        known = picks(fresh, heights, start.stretches, None if start.stretches is None else self._laid)
        result = self._bound(fresh, policy, known).run(threads=self.threads)
        limits, possible = ceilings(scenario.levers, result, findings), result
        _raise_any(findings)
        if limits is not None:
            result = self._bound(capped(fresh, limits), policy, known).run(threads=self.threads)
        outcome, asked = None, result.bound.prepared
        for number, lever in enumerate(scenario.levers):
            if isinstance(lever, Dealing):
                found = noted(
                    findings, f"levers.{number}", partial(dealt, before, asked, lever, policy=policy, day=day)
                )
                if found is not None:
                    outcome, result = found[0], Result(result.bound, found[1])
        _raise_any(findings)
        lines, takes = Answered(result.answer, fresh).whole()
        if limits is not None:
            could = Answered(possible.answer, fresh).whole()[0]
            lines = lines.with_columns(reason=reasons(lines, limits, could))
        held = quantities_of(fresh)
        part = Part(fresh.stock.frame, fresh.demand.frame, lines, takes, policy, fresh.stock.scale, day, held)
        return After(part, result, outcome, self._further(scenario, part, limits))

    def _further(
        self, scenario: Scenario, after: Part, limits: Ceilings | None
    ) -> dict[str, tuple[float | None, float | None]]:
        """Measures that only some levers have. Under limits the part is everything, as they concern every SKU."""
        found: dict[str, tuple[float | None, float | None]] = {}
        if limits is not None and limits.quota_use is not None:
            found["quota_use"] = (None, limits.quota_use)
        for lever in scenario.levers:
            if isinstance(lever, StockLimits):
                ours, base = (fullness(part, lever) for part in (after, self.part_of_everything()))
                found |= {name: (base.get(name), value) for name, value in ours.items()}
        return found

    def _pulled(
        self, scenario: Scenario, start: Part, additions: dict[int, pl.DataFrame], findings: Findings
    ) -> Prepared:
        """The tables of the part with all levers on rows pulled."""
        prepared, day = self.bound.prepared, self.bound.as_of
        frames = {"stock": start.stock, "demand": start.demand}
        changed = Changed(frames, start.quantities, prepared.stock.scale, day, self.draws, findings)
        next_row = {"stock": prepared.stock.frame.height, "demand": prepared.demand.frame.height}
        for number, lever in enumerate(scenario.levers):
            if isinstance(lever, RowLever):
                changed.pull(number, lever)
            elif isinstance(lever, NewRows):
                table, rows = table_of(lever), additions[number]
                numbers = pl.Series(ROW, np.arange(next_row[table], next_row[table] + rows.height))
                changed.append(table, rows.with_columns(numbers))
                next_row[table] += rows.height
        frames = {name: frame.rechunk() for name, frame in changed.finish().items()}
        # Without new rows the part is in the sequence of the base, and its ids ascend if those of the base do.
        stock, demand = (
            Table(name, frames[name], base.scale, base.ascending and next_row[name] == base.frame.height, held)
            for (name, base), held in zip(bases(prepared).items(), start.quantities.values(), strict=True)
        )
        return Prepared(stock, demand)

    def _bound(self, prepared: Prepared, policy: Policy, known: Picks | None) -> Bound:
        tables = prepared.stock, prepared.demand
        columns = Columns(*tables, CORE) if known is None else PartColumns(*tables, self._columns, known, CHANGED)
        plan = BoundPlan(compile_columns(columns, prepared, policy, self.bound.as_of))
        return Bound(prepared, policy, self.bound.as_of, plan)


def _raise_any(findings: Findings) -> None:
    """All problems of the scenario at once, by lever."""
    if findings.problems:
        raise InputError(sorted(findings.problems, key=_by_lever))


def _by_lever(problem: Problem) -> tuple[int, str]:
    kind, _, rest = problem.column.partition(".")
    return int(rest.split(".")[0]) if kind == "levers" else -1, problem.column
