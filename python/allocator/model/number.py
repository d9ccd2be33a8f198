"""Serial numbers: how they are spelled, SKU by SKU, and which SKUs have them at all.

A format is a pattern such as `CM500-YYYY-NNNN`. `docs/numbers.md` has the whole of its language; in short:

- A run of letters that is nothing but `YYYY`, `YY`, `MM` and `N…` stands for year, month and a sequence as wide as
  it has Ns; `#` at the end stands for a check digit. Everything else is itself.
- `[…]` takes what is inside as it is: `[MM]-NNNN` begins with two Ms.
- A run of letters that only contains `YY`, `MM` or `NN`, as in `COMM-NNNN`, could mean two things and is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, ClassVar, Final, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from allocator.errors import PolicyError, Problem
from allocator.model.document import Document, Name, Part

NUMBER_LENGTH_MAX: Final = 64
"""No serial number is longer than this many characters. GS1 labels carry at most 20 of them, IMEIs 15."""

SEQUENCE_WIDTH_MAX: Final = 18
"""So that every sequence fits in Int64."""

Scheme = Literal["luhn", "gs1_mod_10", "iso7064_mod_11_2", "iso7064_mod_11_10", "iso7064_mod_37_2", "iso7064_mod_37_36"]
"""How a check digit is computed, from the characters before it that the scheme knows.

`luhn` (ISO/IEC 7812-1), `gs1_mod_10` (GS1 General Specifications 7.9.1) and `iso7064_mod_11_10` know digits and give a
digit. `iso7064_mod_11_2` gives a digit or X. The two of modulus 37 know digits and the letters A to Z; `_37_2` may
also give `*`.
"""

Case = Literal["upper", "exact"]
"""Whether letters are read as capitals, so that `ab1` and `AB1` are one number, or as they are."""

Kind = Literal["literal", "year", "year_short", "month", "sequence", "check"]

_TOKEN = re.compile(
    r"\[(?P<quoted>[^\[\]]*)\]|(?P<letters>[A-Za-z]+)|(?P<check>#)|(?P<other>[^A-Za-z#\[\]]+)|(?P<bad>.)"
)
_HOLDER = re.compile(r"(?P<year>YYYY)|(?P<year_short>YY)|(?P<month>MM)|(?P<sequence>N+)")
_HOLDERS = re.compile(r"(?:YYYY|YY|MM|N+)+")


@dataclass(frozen=True, slots=True)
class Segment:
    """One piece of a pattern: what it stands for, its text in the pattern, and where it is in a number."""

    kind: Kind
    text: str
    start: int

    @property
    def width(self) -> int:
        """How many characters it takes in a number."""
        return len(self.text)


class NumberFormat(Part):
    """How the numbers of some SKUs are spelled.

    Attributes:
        pattern: See the head of this module. All numbers of a format are equally long.
        check: The scheme of the check digit; needed if, and only if, the pattern ends in `#`.
        reset: When the sequence begins again: every year, every month, or never. The pattern must say the year (and
            month), or the same number would come twice. With `YY` it comes twice after a hundred years.
        case: How letters are compared.

    Example:
        >>> NumberFormat(pattern="CM500-YYYY-NNNN", reset="yearly").sequence_max
        9999
    """

    kind: ClassVar[str] = "number_format"

    pattern: Annotated[str, StringConstraints(min_length=1, max_length=2 * NUMBER_LENGTH_MAX)]
    check: Scheme | None = None
    reset: Literal["yearly", "monthly", "never"] = "never"
    case: Case = "upper"

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        problems = list(_pattern_problems(self.pattern, self.case))
        kinds = [segment.kind for segment in segments(self.pattern)]
        if ("check" in kinds) != (self.check is not None):
            message = "a check digit takes both: `#` at the end of the pattern, and its scheme in `check`"
            problems.append(Problem("setting_conflict", message, column="check", value=self.check or "none"))
        dated = {"year", "year_short"} & set(kinds)
        if (self.reset != "never" and not dated) or (self.reset == "monthly" and "month" not in kinds):
            message = f"the sequence begins again {self.reset}, and the number does not say when: numbers would repeat"
            hint = "Put YYYY (and MM) into the pattern, or let the sequence run on"
            problems.append(Problem("setting_conflict", message, column="reset", value=self.reset, hint=hint))
        if problems:
            raise PolicyError(problems)
        return self

    @property
    def width(self) -> int:
        """How many characters a number has."""
        return sum(segment.width for segment in segments(self.pattern))

    @property
    def sequence_max(self) -> int:
        """The last number of a sequence."""
        return int(10 ** next(s.width for s in segments(self.pattern) if s.kind == "sequence") - 1)


class TrackingRule(Part):
    """Whether units of some SKUs are known one by one, by lot, both or not at all.

    Attributes:
        track: `serial`, `lot`, `both` (serials within a lot) or `none`.
        sku: Only this SKU. Of several rules that fit, that of the SKU holds, then that of the group, then that of all.
        sku_group: Only SKUs of this group.
        format: Name of the format of their serials; None takes any number that can be printed.
        generate: Whether a receipt that names no serials gets them from the format.
    """

    track: Literal["serial", "lot", "both", "none"]
    sku: Name | None = None
    sku_group: Name | None = None
    format: Name | None = None
    generate: bool = Field(default=False, strict=True)

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        problems = []
        if self.sku is not None and self.sku_group is not None:
            message = "a rule is for a SKU or for a group"
            problems.append(Problem("setting_conflict", message, column="sku_group", value=self.sku_group))
        if self.format is not None and self.track not in ("serial", "both"):
            message = "a format of serials is given for what has none"
            problems.append(Problem("setting_conflict", message, column="format", value=self.format))
        if self.generate and self.format is None:
            problems.append(Problem("setting_conflict", "numbers are generated from a format", column="generate"))
        if problems:
            raise PolicyError(problems)
        return self


class NumberRules(Document):
    """The formats of a business, and which SKUs use them.

    Attributes:
        name: What people call this document.
        formats: Formats by name.
        tracking: Which SKUs are tracked how. A SKU without a rule is not tracked.

    Example:
        >>> rules = NumberRules(
        ...     formats={"chiller": {"pattern": "CM500-YYYY-NNNN", "reset": "yearly"}},
        ...     tracking=[{"track": "lot"}, {"sku": "CM500", "track": "serial", "format": "chiller"}],
        ... )
        >>> rules.rule_of("CM500").track, rules.rule_of("FILTER").track
        ('serial', 'lot')
    """

    kind: ClassVar[str] = "numbers"

    name: Name = "numbers"
    formats: dict[Name, NumberFormat] = Field(default_factory=dict)
    tracking: tuple[TrackingRule, ...] = ()

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        problems, seen = [], set()
        for number, rule in enumerate(self.tracking):
            if rule.format is not None and rule.format not in self.formats:
                hint = f"Formats: {', '.join(self.formats) or 'none'}"
                place = f"tracking.{number}.format"
                problems.append(
                    Problem("format_unknown", "there is no such format", "", place, None, rule.format, hint)
                )
            if (key := (rule.sku, rule.sku_group)) in seen:
                message = "another rule is for the same SKUs"
                problems.append(Problem("setting_twice", message, column=f"tracking.{number}"))
            seen.add(key)
        if problems:
            raise PolicyError(problems)
        return self

    def rule_of(self, sku: str, sku_group: str | None = None) -> TrackingRule:
        """The rule that holds for a SKU; one that tracks nothing if there is none."""
        rules = {(rule.sku, rule.sku_group): rule for rule in self.tracking}
        keys = ((sku, None), (None, sku_group), (None, None))
        return next((rules[key] for key in keys if key in rules), TrackingRule(track="none"))

    def format_of(self, sku: str, sku_group: str | None = None) -> NumberFormat | None:
        """The format of a SKU's serials, if it has one."""
        name = self.rule_of(sku, sku_group).format
        return None if name is None else self.formats[name]


@lru_cache(maxsize=1024)
def segments(pattern: str) -> tuple[Segment, ...]:
    """A pattern in pieces, in their order."""
    found: list[Segment] = []
    start = 0
    for kind, text in _pieces(pattern):
        found.append(Segment(kind, text, start))
        start += len(text)
    return tuple(found)


def _pieces(pattern: str) -> Iterator[tuple[Kind, str]]:
    for token in _TOKEN.finditer(pattern):
        if token["letters"] and _HOLDERS.fullmatch(token["letters"]):
            for holder in _HOLDER.finditer(token["letters"]):
                yield holder.lastgroup, holder[0]  # type: ignore[misc] # the names of its groups are kinds
        elif token["check"]:
            yield "check", "#"
        elif text := token["quoted"] or token["letters"] or token["other"]:
            yield "literal", text


def _pattern_problems(pattern: str, case: Case) -> Iterator[Problem]:
    def problem(message: str, value: str = pattern, hint: str = "") -> Problem:
        return Problem("pattern_malformed", message, column="pattern", value=value, hint=hint)

    for token in _TOKEN.finditer(pattern):
        letters = token["letters"]
        if token["bad"]:
            yield problem(f"a bracket is not closed, at character {token.start() + 1}")
        elif letters and not _HOLDERS.fullmatch(letters) and re.search("YY|MM|NN", letters):
            hint = "Put brackets around what is to be printed as it is, as in [COMM]-NNNN"
            yield problem("letters and placeholders run together", letters, hint)
    pieces = segments(pattern)
    for segment in pieces:
        if segment.kind == "literal" and re.search(r"[^\x21-\x7e]", segment.text):
            yield problem("what is printed as it is, is ASCII without blanks", segment.text)
        elif segment.kind == "literal" and case == "upper" and segment.text != segment.text.upper():
            yield problem("letters are read as capitals, and the pattern has small ones", segment.text)
        elif segment.kind == "sequence" and segment.width > SEQUENCE_WIDTH_MAX:
            yield problem(f"a sequence has at most {SEQUENCE_WIDTH_MAX} digits", segment.text)
    if ".." in "".join(segment.text for segment in pieces):
        yield problem("two points stand between the ends of a range, and in no number")
    kinds = ["year" if s.kind == "year_short" else s.kind for s in pieces]
    if kinds.count("sequence") != 1:
        hint = "Ns are a sequence where no other letters touch them: [SN]NNNN, SN-NNNN"
        yield problem("a pattern has exactly one sequence of Ns", hint=hint)
    if kinds.count("year") > 1 or kinds.count("month") > 1:
        yield problem("a pattern says year and month at most once")
    if "check" in kinds and kinds.index("check") != len(kinds) - 1:
        yield problem("the check digit # is the last character", hint="Write [#] for the character itself")
    if sum(segment.width for segment in pieces) > NUMBER_LENGTH_MAX:
        yield problem(f"a number has at most {NUMBER_LENGTH_MAX} characters")
