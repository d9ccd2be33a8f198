"""The problem as a solver sees it: a flow from classes of rows to classes of lines, and what fill rules add.

Units leave a class of rows (`take`), pass from its kind to a kind of lines (`flow`), and reach a class of lines
(`serve`). Without fill rules that is a network, whose best plans are whole numbers by themselves. Whole lines and
orders, minimums, one lot or source, row limits and whole rows add counts, which must be whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from allocator.optimum.classes import Classes, Pairs, dense
from allocator.optimum.ground import WHOLE, Ints, Lines, Rows
from allocator.optimum.objectives import Gains, Takes, kept
from allocator.optimum.program import INF, Floats, Program


@dataclass(frozen=True)
class Model:
    """A program, and what its columns mean.

    Attributes:
        program: Columns, rows and matrix.
        classes: Kinds and classes of rows and lines.
        pairs: Kinds that may serve each other; there is a column `flow` for each.
        step: Units of a line in one step of a flow.
        node: Where each flow ends: the kind of the lines, or one lot or source of it.
        take: Column of each class of rows.
        flow: Column of each pair.
        weaken: Column of what passes for the next weaker kind, by link of the chains.
        serve: Column of units, by arc; -1 where a count says it.
        count: Column of a count of lines, by arc; -1 where any number may be served.
        order: Column of each order that is served whole or not at all.
        used: Column that says whether a pair is used, by pair; -1 where nobody asks.
        keep: Allocations of which it counts what stays, by name: pairs, and the column of what stays of each.
        arc_class: Class of the lines of each arc.
        arc_node: Node from which it is served.
        row_first: A row of each class of rows.
        line_first: A line of each class of lines.
        line_order: Number of the whole order of each class of lines; -1 without.
    """

    program: Program
    classes: Classes
    pairs: Pairs
    step: Ints
    node: Ints
    take: Ints
    flow: Ints
    weaken: Ints
    serve: Ints
    count: Ints
    order: Ints
    used: Ints
    keep: dict[str, tuple[Ints, Ints]]
    arc_class: Ints
    arc_node: Ints
    row_first: Ints
    line_first: Ints
    line_order: Ints

    @property
    def taken(self) -> Ints:
        """Units of a row in one step of each flow."""
        return self.step * self.pairs.given // self.pairs.asked

    def find(self, takes: Takes) -> Ints:
        """The pair of each allocation; -1 where its row may not serve its line."""
        return _pair_of(takes, self.classes, self.pairs)

    def arc_of(self, takes: Takes, pair: Ints) -> Ints:
        """The arc through which each allocation reaches its line."""
        width = int(self.node.max(initial=0)) + 1
        arcs = self.arc_class * width + self.arc_node
        order = np.argsort(arcs)
        return order[np.searchsorted(arcs[order], self.classes.line_class[takes.line] * width + self.node[pair])]

    def costs(self, gains: Gains, lines: Lines) -> Floats:
        """What each column counts towards an objective."""
        cost = np.zeros(self.program.columns)
        if gains.row is not None:
            cost[self.take] = gains.row[self.row_first]
        if gains.away:
            cost[self.flow] = gains.away * self.step * self.pairs.away
        if gains.line is not None:
            worth = gains.line[self.line_first]
            arc, qty = worth[self.arc_class], lines.qty[self.line_first]
            units = self.serve >= 0
            cost[self.serve[units]] = arc[units]
            lots = (self.count >= 0) & ~units
            cost[self.count[lots]] = (arc * qty[self.arc_class])[lots]
            whole = (self.line_order >= 0) & (lines.one[self.line_first] == 0)
            np.add.at(cost, self.order[self.line_order[whole]], (worth * qty)[whole])
        if gains.kept and "current" in self.keep:
            cost[self.keep["current"][1]] = gains.kept
        return cost


def _pair_of(takes: Takes, classes: Classes, pairs: Pairs) -> Ints:
    """The pair of each allocation; -1 for none. In chains are legal allocations only: they need not be looked at."""
    if not len(pairs.row):
        return np.full(len(takes.row), -1)
    chain = classes.chains.chain
    width = int(chain.max(initial=0)) + 1
    known = pairs.line * width + chain[pairs.row]
    asked = classes.line_kind[takes.line] * width + chain[classes.row_kind[takes.row]]
    at = np.minimum(np.searchsorted(known, asked), len(known) - 1)
    return np.where(known[at] == asked, at, -1)


def build(
    rows: Rows,
    lines: Lines,
    classes: Classes,
    pairs: Pairs,
    *,
    pool: Mapping[int, Ints],
    held: Mapping[str, Takes],
) -> Model:
    """The whole problem.

    Args:
        rows: The rows.
        lines: The lines.
        classes: Their kinds and classes.
        pairs: Kinds that may serve each other.
        pool: Lot or place of each row, by number of `ONE`.
        held: Allocations of which it counts what stays, by name.
    """
    step = np.lcm(lines.pack[pairs.first_line], pairs.asked)
    lot = np.full(len(pairs.row), -1)
    for which, code in pool.items():
        lot = np.where(lines.one[pairs.first_line] == which, code[pairs.first_row], lot)
    draft = _Draft(
        *(Program(), rows, lines, classes, pairs),
        step=np.maximum(step, classes.line_unit[pairs.first_line]),
        node=dense([pairs.line, lot]),
        row_first=np.unique(classes.row_class, return_index=True)[1],
        line_first=np.unique(classes.line_class, return_index=True)[1],
    )
    return draft.finished(held)


@dataclass
class _Draft:
    """A model on its way."""

    program: Program
    rows: Rows
    lines: Lines
    classes: Classes
    pairs: Pairs
    step: Ints
    node: Ints
    row_first: Ints
    line_first: Ints

    def __post_init__(self) -> None:
        classes, unit = self.classes, np.maximum(self.lines.pack, self.classes.line_unit)
        self.cap = np.zeros(len(self.row_first), np.int64)
        np.add.at(self.cap, classes.row_class, self.rows.balance // classes.unit * classes.unit)
        self.most, self.number = np.zeros((2, len(self.line_first)), np.int64)
        np.add.at(self.most, classes.line_class, self.lines.qty // unit * unit)
        np.add.at(self.number, classes.line_class, 1)

    def finished(self, held: Mapping[str, Takes]) -> Model:
        program, pairs = self.program, self.pairs
        kind_of_class = self.classes.row_kind[self.row_first]
        supply = np.zeros(int(kind_of_class.max(initial=-1)) + 1, np.int64)
        np.add.at(supply, kind_of_class, self.cap)
        chain = self.classes.chains.chain
        in_chain = np.zeros(len(supply), np.int64)
        np.add.at(in_chain, chain, supply)
        taken = self.step * pairs.given // pairs.asked
        wanted = np.zeros(int(self.classes.line_kind.max(initial=-1)) + 1, np.int64)
        np.add.at(wanted, self.classes.line_kind[self.line_first], self.most)
        flow_most = np.minimum(in_chain[chain[pairs.row]] // taken, wanted[pairs.line] // self.step)
        take = program.add_columns(self.cap)
        uneven = (taken != self.classes.unit[pairs.first_row]) | (self.step != self.classes.line_unit[pairs.first_line])
        flow = program.add_columns(np.where(uneven, flow_most, INF), integral=uneven)
        out = program.add_rows(len(supply), 0, 0)
        program.put(out[kind_of_class], take, 1)
        program.put(out[pairs.row], flow, -taken)
        strong, weak = self.classes.chains.links()
        weaken = program.add_columns(np.full(len(strong), INF))
        program.put(out[strong], weaken, -1)
        program.put(out[weak], weaken, 1)
        into = program.add_rows(int(self.node.max(initial=-1)) + 1, 0, 0)
        program.put(into[self.node], flow, self.step)
        arc_class, arc_node = self._arcs()
        serve, count = self._served(into, arc_class, arc_node)
        order, line_order = self._orders(into, arc_class, arc_node, count)
        used = self._used(take, flow, flow_most)
        return Model(
            program,
            self.classes,
            pairs,
            self.step,
            self.node,
            take,
            flow,
            weaken,
            serve,
            count,
            order,
            used,
            {name: self._kept(takes, flow, taken) for name, takes in held.items()},
            arc_class,
            arc_node,
            self.row_first,
            self.line_first,
            line_order,
        )

    def _kept(self, held: Takes, flow: Ints, taken: Ints) -> tuple[Ints, Ints]:
        """What stays of allocations, where their rows may still serve their lines."""
        program, found = self.program, _pair_of(held, self.classes, self.pairs)
        there, where = np.unique(found[found >= 0], return_inverse=True)
        had = np.zeros(len(there), np.int64)
        np.add.at(had, where, held.qty[found >= 0])
        keep = program.add_columns(had)
        stays = program.add_rows(len(there), -INF, 0)
        program.put(stays, keep, 1)
        program.put(stays, flow[there], -taken[there])
        return there, keep

    def _arcs(self) -> tuple[Ints, Ints]:
        """From every node to every class of the lines that it serves."""
        nodes, first = np.unique(self.node, return_index=True)
        kind = self.pairs.line[first]
        of_class = self.classes.line_kind[self.line_first]
        order = np.argsort(of_class, kind="stable")
        begin, end = (np.searchsorted(of_class[order], kind, side=side) for side in ("left", "right"))
        width = end - begin
        node = np.repeat(nodes, width)
        at = np.arange(len(node)) - np.repeat(np.cumsum(width) - width, width) + np.repeat(begin, width)
        return order[at], node

    def _served(self, into: Ints, arc_class: Ints, arc_node: Ints) -> tuple[Ints, Ints]:
        """What reaches lines: units where any number may, counts of lines where not."""
        program, lines = self.program, self.lines
        first = self.line_first[arc_class]
        whole, least, one = lines.whole[first], lines.least[first], lines.one[first]
        unit = np.maximum(lines.pack[first], self.classes.line_unit[first])
        least = -(-least // unit) * unit
        fits = lines.qty[first] // unit * unit
        possible = np.where(whole > 0, fits == lines.qty[first], least <= fits)
        serve, count = np.full((2, len(arc_class)), -1)
        units = np.flatnonzero(whole == 0)
        serve[units] = program.add_columns(np.where(possible, self.most[arc_class], 0)[units])
        program.put(into[arc_node[units]], serve[units], -1)
        counted = np.flatnonzero((whole == WHOLE["line"]) | (one > 0) | ((least > 1) & (whole == 0)))
        numbers = np.where(possible, self.number[arc_class], 0)[counted]
        count[counted] = program.add_columns(numbers, integral=True)
        lots = counted[whole[counted] > 0]
        program.put(into[arc_node[lots]], count[lots], -fits[lots])
        free = counted[whole[counted] == 0]
        above = program.add_rows(len(free), -INF, 0)
        program.put(above, serve[free], 1)
        program.put(above, count[free], -fits[free])
        bound = free[least[free] > 1]
        below = program.add_rows(len(bound), 0, INF)
        program.put(below, serve[bound], 1)
        program.put(below, count[bound], -least[bound])
        several = counted[(one[counted] > 0) & (whole[counted] != WHOLE["order"])]
        classes, at = np.unique(arc_class[several], return_inverse=True)
        one_each = program.add_rows(len(classes), -INF, self.number[classes])
        program.put(one_each[at], count[several], 1)
        return serve, count

    def _orders(self, into: Ints, arc_class: Ints, arc_node: Ints, count: Ints) -> tuple[Ints, Ints]:
        """Orders that are served whole or not at all."""
        program, lines = self.program, self.lines
        first = self.line_first
        whole = np.flatnonzero(lines.whole[first] == WHOLE["order"])
        _, number = np.unique(lines.order[first[whole]], return_inverse=True)
        line_order = np.full(len(first), -1)
        line_order[whole] = number
        unit = np.maximum(lines.pack[first], self.classes.line_unit[first])
        reached = np.zeros(len(first), np.bool_)
        reached[arc_class] = True
        hopeless = ~reached | (lines.qty[first] % unit > 0)
        can = np.ones(int(number.max(initial=-1)) + 1, np.int64)
        can[line_order[whole[hopeless[whole]]]] = 0
        order = program.add_columns(can, integral=True)
        arcs = np.flatnonzero(line_order[arc_class] >= 0)
        alone = lines.one[first[arc_class[arcs]]] == 0
        direct, chosen = arcs[alone], arcs[~alone]
        column = order[line_order[arc_class]] if len(order) else np.zeros(len(arc_class), np.int64)
        program.put(into[arc_node[direct]], column[direct], -lines.qty[first[arc_class[direct]]])
        classes, at = np.unique(arc_class[chosen], return_inverse=True)
        same = program.add_rows(len(classes), 0, 0)
        program.put(same[at], count[chosen], 1)
        program.put(same, order[line_order[classes]] if len(classes) else classes, -1)
        return order, line_order

    def _used(self, take: Ints, flow: Ints, flow_most: Ints) -> Ints:
        """Row limits and whole rows: whether a pair is used at all, where rows and lines are kinds of their own."""
        program, pairs, lines = self.program, self.pairs, self.lines
        rows_max, whole = lines.rows_max[pairs.first_line], lines.whole_rows[pairs.first_line]
        asked = np.flatnonzero((rows_max > 0) | whole)
        used = np.full(len(flow), -1)
        odd = self.rows.balance[pairs.first_row] % self.classes.unit[pairs.first_row] > 0
        used[asked] = program.add_columns(np.where(whole & odd, 0, 1)[asked], integral=True)
        only = program.add_rows(len(asked), -INF, 0)
        program.put(only, flow[asked], 1)
        program.put(only, used[asked], -flow_most[asked])
        limited = np.flatnonzero(rows_max > 0)
        kinds, at = np.unique(pairs.line[limited], return_inverse=True)
        most = np.zeros(len(kinds), np.int64)
        most[at] = rows_max[limited]
        within = program.add_rows(len(kinds), -INF, most)
        program.put(within[at], used[limited], 1)
        emptied = np.flatnonzero(whole)
        kinds, at = np.unique(pairs.row[emptied], return_inverse=True)
        by_one = program.add_rows(len(kinds), -INF, 1)
        program.put(by_one[at], used[emptied], 1)
        class_of = np.zeros(int(self.classes.row_kind.max(initial=-1)) + 1, np.int64)
        class_of[self.classes.row_kind[self.row_first]] = np.arange(len(self.row_first))
        empty = program.add_rows(len(kinds), 0, INF)
        program.put(empty, take[class_of[kinds]], 1)
        program.put(empty[at], used[emptied], -self.rows.balance[pairs.first_row[emptied]])
        return used


def as_columns(model: Model, takes: Takes, held: dict[str, Takes]) -> Floats:
    """A plan as values of the columns: where a solver begins, or what a test holds against the rows."""
    value, classes = np.zeros(model.program.columns), model.classes
    pair = model.find(takes)
    np.add.at(value, model.take[classes.row_class[takes.row]], takes.qty)
    steps = np.zeros(len(model.flow), np.int64)
    np.add.at(steps, pair, takes.served)
    value[model.flow] = steps // model.step
    value[model.weaken] = _weakened(model, takes, pair)
    at = model.arc_of(takes, pair)
    units = model.serve[at] >= 0
    np.add.at(value, model.serve[at[units]], takes.served[units])
    _, once = np.unique(takes.line, return_index=True)
    np.add.at(value, model.count[at[once[model.count[at[once]] >= 0]]], 1)
    whole = model.line_order[classes.line_class[takes.line]]
    value[model.order[whole[whole >= 0]]] = 1
    value[model.used[pair[model.used[pair] >= 0]]] = 1
    for name, (pairs, keep) in model.keep.items():
        stays, found = kept(takes, held[name]), model.find(held[name])
        by_pair = np.zeros(len(model.flow), np.int64)
        np.add.at(by_pair, found[found >= 0], stays[found >= 0])
        value[keep] = by_pair[pairs]
    return value


def _weakened(model: Model, takes: Takes, pair: Ints) -> Ints:
    """What of each kind passes for the next weaker one: what is taken of it and above, but for what is needed there."""
    chains = model.classes.chains
    more = np.zeros(len(chains.kinds), np.int64)
    np.add.at(more, model.classes.row_kind[takes.row], takes.qty)
    np.subtract.at(more, model.pairs.row[pair], takes.qty)
    above = np.empty(len(more), np.int64)
    above[chains.kinds] = np.cumsum(more[chains.kinds][::-1])[::-1]
    return above[chains.links()[0]]
