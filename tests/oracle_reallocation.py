"""A short, slow, obvious reallocation under one rule of eligibility (grade) and any fill: no code is shared."""

from collections import defaultdict

WEAKEST_FIRST = ["fill", "improve", "gain"]


def reallocate(stock, demand, current, plan):
    """What every line has of every row in every stage afterwards, and which are exceptions."""
    return World(stock, demand, current, plan).run()


class World:
    def __init__(self, stock, demand, current, plan):
        self.stock = sorted(stock, key=lambda row: (row["grade"], row["stock_id"]))
        self.lines = {line["line_id"]: line for line in demand}
        self.segments = {segment.name: (n, segment) for n, segment in enumerate(plan.segments)}
        self.kind = {name: line["kind"] for name, line in self.lines.items()}
        self.left = {row["stock_id"]: row["qty_on_hand"] for row in stock}
        self.fixed, self.has, self.sure, self.exceptions = {}, defaultdict(int), set(), set()
        self.wanted = {name: line["qty"] for name, line in self.lines.items()}
        for row in current:
            line, stage = row["line_id"], row["stage"]
            if stage == "open" and self.kind[line] != "skip":
                self.has[line, row["stock_id"]] += row["qty"]
            else:
                self.fixed[line, row["stock_id"], stage] = row["qty"]
                self.wanted[line] -= row["qty"]
            if stage != "shipped":
                self.left[row["stock_id"]] -= row["qty"]
        self.held = {line: self.total(line) for line in self.lines}
        self.order = sorted(self.lines, key=self.place)

    def place(self, name):
        line = self.lines[name]
        number, segment = self.segments[line["kind"]]
        keys = [key.column for key in segment.order] if segment.order else ["priority"]
        return number, [-line["qty"] if key == "qty" else line[key] for key in keys], name

    def total(self, line):
        return sum(qty for (name, _), qty in self.has.items() if name == line)

    def give_back(self, line):
        for row in self.stock:
            self.left[row["stock_id"]] += self.has.pop((line, row["stock_id"]), 0)

    def rows(self, line):
        own = self.lines[line]
        return [row["stock_id"] for row in self.stock if row["sku"] == own["sku"] and row["grade"] >= own["grade_min"]]

    def take(self, line, qty, robbed=()):
        """Takes free stock first, then what lines of these kinds have, row by row; says what it took of whom."""
        got = []
        for kind in (None, *robbed):
            for row in self.rows(line):
                there = self.left[row] if kind is None else sum(q for _, q in self.victims(kind, row))
                part = min(qty - sum(part for *_, part in got), there)
                if part > 0:
                    got.append((row, kind, part))
        return got

    def victims(self, kind, row):
        """Lines of a kind that have something of a row that can be taken, the last served first."""
        names = [name for name in reversed(self.order) if self.kind[name] == kind]
        return [(name, self.has[name, row]) for name in names if self.has.get((name, row)) and name not in self.sure]

    def book(self, line, got):
        for row, kind, part in got:
            if kind is None:
                self.left[row] -= part
            else:
                self.rob(kind, row, part)
            self.has[line, row] += part

    def rob(self, kind, row, part):
        for victim, there in self.victims(kind, row):
            lost = min(there, part)
            self.has[victim, row] -= lost
            part -= lost

    def run(self):
        for line in self.order:
            if self.kind[line] in ("redistribute", "lose"):
                self.give_back(line)
        self.win()
        for number, kind in enumerate(["gain", "improve", "fill"]):
            self.restore(kind, WEAKEST_FIRST[: 2 - number])
        for line in self.order:
            if self.kind[line] in ("gain", "improve", "redistribute"):
                self.book(line, self.take(line, self.wanted[line] - self.total(line)))
        found = defaultdict(int, self.fixed)
        for (line, row), qty in self.has.items():
            found[line, row, "open"] += qty
        return {key: qty for key, qty in found.items() if qty}, self.exceptions

    def win(self):
        """Winners that are not full lay open what they have; who fails gets back of it what others left."""
        contend = [n for n in self.order if self.kind[n] == "win" and self.total(n) < self.wanted[n]]
        aside = {n: {row: self.has.get((n, row), 0) for row in self.left} for n in contend}
        for line in contend:
            self.give_back(line)
        failed = []
        for line in contend:
            got = self.take(line, self.wanted[line], WEAKEST_FIRST)
            if sum(part for *_, part in got) == self.wanted[line]:
                self.book(line, got)
            else:
                failed.append(line)
        for line in failed:
            falls = self.segments["win"][1].fallback or "gain"
            self.kind[line] = falls
            self.exceptions.add(line)
        # Of one row, those who have it are ranked by class and place, whoever had it first.
        strong = [line for kind in ("gain", "improve", "fill") for line in self.order if self.kind[line] == kind]
        for row in (row["stock_id"] for row in self.stock):
            asked = {n: self.has.get((n, row), 0) + (aside[n][row] if n in failed else 0) for n in strong}
            for line in strong:
                self.left[row] += self.has.pop((line, row), 0)
            for line in strong:
                self.has[line, row] = min(asked[line], self.left[row])
                self.left[row] -= self.has[line, row]

    def restore(self, kind, robbed):
        lines = [line for line in self.order if self.kind[line] == kind]
        self.sure |= set(lines) if kind != "gain" else set()
        for line in lines:
            lost = self.held[line] - self.total(line)
            self.book(line, self.take(line, lost, robbed))
        if kind == "gain":
            for line in lines:
                if self.total(line) < self.held[line]:
                    self.exceptions.add(line)
                    falls = self.segments[self.lines[line]["kind"]][1]
                    again = falls.strategy == "gain" and falls.fallback == "redistribute"
                    self.kind[line] = "redistribute" if again else "improve"
                    if again:
                        self.give_back(line)
                else:
                    self.sure.add(line)
