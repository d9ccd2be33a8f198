"""What the free text of a recall names: lots, serials, ranges of them, dates, or everything."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import polars as pl

from allocator.frames.findings import Check, Findings
from allocator.numbers.recall_words import LABELS, TO, TOKEN, days_of
from allocator.numbers.spelling import Texts, column_of

Kind = Literal["lot", "serial", "expiry", "made", "traded", "product", "all", "none", "not_understood"]
Confidence = Literal["low", "medium", "high"]

KINDS: Final = ("lot", "serial", "expiry", "made", "traded", "product", "all", "none", "not_understood")
CONFIDENCES: Final = ("low", "medium", "high")

TEXT_LENGTH_MAX: Final = 100_000
"""The longest field that an authority has published is a tenth of it."""

SCHEMA: Final = {
    "row": pl.UInt32(),
    "kind": pl.Enum(KINDS),
    "first": pl.String(),
    "last": pl.String(),
    "first_on": pl.Date(),
    "last_on": pl.Date(),
    "confidence": pl.Enum(CONFIDENCES),
    "start": pl.UInt32(),
    "end": pl.UInt32(),
    "text": pl.String(),
}

_DATED: Final[tuple[Kind, ...]] = ("expiry", "made", "traded")
_TAIL = re.compile(r"(.*?)(\d+)\Z", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a text names; the columns of the same names say what each field is."""

    kind: Kind
    start: int
    end: int
    first: str | None = None
    last: str | None = None
    first_on: dt.date | None = None
    last_on: dt.date | None = None
    confidence: Confidence | None = None


def parse_recall(texts: Texts) -> pl.DataFrame:
    """What each text of a recall names, as far as it can be told, and what could not be read.

    Args:
        texts: Free text as authorities and makers write it: the field 'code information' of a recall. Null names
            nothing.

    Returns:
        One row per lot, serial, range, date, or piece that was not understood, in the order of the texts and within
        one from left to right:

        - `row` (UInt32): which text, from 0.
        - `kind` (Enum): `lot`, `serial`; `expiry`, `made` (manufactured, packed), `traded` (distributed, sold);
          `product` (a GTIN, UPC, or a number of the item); `all` (all lots); `none` (the text says that there is no
          number); `not_understood`.
        - `first`, `last` (String): the lot, serial or product as written; of a range both ends, else the same twice.
        - `first_on`, `last_on` (Date): the days of a date, both counting; of a month its first and last. Null is an
          open end: 'and earlier'. Both null: a date without a year or one that no calendar has.
        - `confidence` (Enum low < medium < high): high right after a word that says what it is, or in a list that
          begins so; medium without such a word, or after others; low where it is a guess. Null for what was not
          understood.
        - `start`, `end` (UInt32): where in the text, in characters; `text` is that piece.

        Every word with a digit, and every other word that is no label of this list or common, is within some row.

    Raises:
        InputError: `column_type`, `text_too_long`.

    Cost: a tenth of a millisecond a line of text, one text at a time: recalls are few, units are many.

    Example:
        >>> found = parse_recall(["Lot Number: 07110002 thru 07110009; Exp 12/2026"])
        >>> found.select("kind", "first", "last", "last_on").rows()
        [('lot', '07110002', '07110009', None), ('expiry', None, None, datetime.date(2026, 12, 31))]
    """
    given = column_of(texts, "text")
    findings = Findings()
    too_long = pl.col(given.name).str.len_chars() > TEXT_LENGTH_MAX
    hint = "Give one recall a row"
    message = f"a text has at most {TEXT_LENGTH_MAX} characters"
    findings.run("recall", given.to_frame(), [Check("text_too_long", given.name, too_long, message, hint)])
    findings.raise_any()
    rows = [
        (row, f.kind, f.first, f.last, f.first_on, f.last_on, f.confidence, f.start, f.end, text[f.start : f.end])
        for row, text in enumerate(given)
        if text is not None
        for f in _Reader(text).findings()
    ]
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


class _Reader:
    """Reads one text from left to right. What a code is, the last label says."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.found: list[Finding] = []
        self.label: Kind | None = None
        self.labelled = False
        """Whether the list that the label began is still going on."""
        self.count = 0
        self.count_dates = 0
        """How many lots or serials the label has had, and how many of them are spelled like dates."""
        self.named = False
        """Whether a lot or serial was named at all."""
        self.bound: re.Match[str] | None = None
        """A word such as 'before', whose date is still to come."""

    def findings(self) -> Iterator[Finding]:
        """Everything that the text names; what stands side by side and was not understood is one."""
        for token in TOKEN.finditer(self.text):
            self._read(token)
        self._forget_bound()
        held: Finding | None = None
        for finding in sorted(self.found, key=lambda f: f.start):
            if held and held.kind == finding.kind == "not_understood" and self._only_filler(held.end, finding.start):
                held = replace(held, end=finding.end)
            else:
                if held:
                    yield held
                held = finding
        if held:
            yield held

    def _only_filler(self, start: int, end: int) -> bool:
        return all(token.lastgroup == "filler" for token in TOKEN.finditer(self.text[start:end]))

    def _read(self, token: re.Match[str]) -> None:
        kind = token.lastgroup or ""
        if kind == "filler" or re.fullmatch(TO, f" {token[0]} "):
            self.bound = token if kind == "up_to" and not self.found else self.bound
            return
        if kind in LABELS:
            self.label, self.labelled, self.count, self.count_dates = _LABEL[kind], True, 0, 0
            return
        if kind == "date":
            self._date(token)
        elif kind in ("up_to", "from_on"):
            self._bound(token)
            return
        elif kind == "code":
            self._code(token)
        elif kind == "all":
            alone = not self.text[token.end() :].strip(" .;:*")
            self._add("all", token, confidence="high" if alone else "low")
            self.label, self.labelled = ("expiry", True) if re.search("by|dates", token[0], re.I) else (None, False)
        elif kind == "none":
            self._add("none", token, confidence="high" if token[0].strip() == self.text.strip() else "medium")
        elif kind in ("word", "measure"):
            self.labelled = self.labelled and kind == "measure"
            self._add("not_understood", token)
        self._forget_bound()

    def _add(self, kind: Kind, token: re.Match[str], **fields: Any) -> None:  # noqa: ANN401 - the fields of a finding
        self.found.append(Finding(kind, token.start(), token.end(), **fields))

    def _forget_bound(self) -> None:
        if self.bound:
            self._add("not_understood", self.bound)
            self.bound = None

    def _joins(self, kind: Kind, start: int) -> bool:
        """Whether what begins at `start` ends a range that the last finding began."""
        if not self.found or self.found[-1].kind != kind:
            return False
        previous = self.found[-1]
        between = self.text[previous.end : start]
        both = re.search(r"\bbetween\b[^.;]*\Z", self.text[max(0, previous.start - 80) : previous.start], re.I)
        return bool(re.fullmatch(TO + (r"|\s+and\s+" if both else ""), between, re.I))

    # --- dates ---

    def _date(self, token: re.Match[str]) -> None:
        if self.label in ("lot", "serial") and self.labelled and self.count == self.count_dates:
            self.count, self.count_dates = self.count + 1, self.count_dates + 1
            self._add(self.label, token, first=token[0], last=token[0], confidence="medium")
            return
        days = days_of(token)
        kind: Kind = self.label if self.label in _DATED else "expiry"
        sure: Confidence = "high" if self.labelled and self.label == kind else "medium" if self.label == kind else "low"
        if days is None:
            self._add(kind, token, confidence="low")
        elif self._joins(kind, token.start()) and (first_on := self.found[-1].first_on) and first_on <= days[1]:
            self.bound = None
            self.found[-1] = replace(self.found[-1], end=token.end(), last_on=days[1])
        else:
            first_on, last_on = self._bounded(*days)
            start = self.bound.start() if self.bound else token.start()
            self.bound = None
            self.found.append(Finding(kind, start, token.end(), None, None, first_on, last_on, sure))

    def _bounded(self, first_on: dt.date, last_on: dt.date) -> tuple[dt.date | None, dt.date | None]:
        """The days that are meant, after the word that stands before them."""
        word = self.bound[0].lower() if self.bound else ""
        if not word:
            return first_on, last_on
        one = dt.timedelta(days=1)
        if self.bound and self.bound.lastgroup == "from_on":
            return (first_on if word.startswith(("on", "or", "and")) else last_on + one), None
        return None, (first_on - one if word in ("before", "prior to") else last_on)

    def _bound(self, token: re.Match[str]) -> None:
        """'And earlier' belongs to the date before it; 'before' to the one after it."""
        previous = self.found[-1] if self.found else None
        after = previous and previous.kind in _DATED and not self.text[previous.end : token.start()].strip(" ,")
        if previous and after and re.match("and|or|&", token[0], re.I) and (previous.first_on or previous.last_on):
            first_on, last_on = (None, previous.last_on) if token.lastgroup == "up_to" else (previous.first_on, None)
            self.found[-1] = replace(previous, end=token.end(), first_on=first_on, last_on=last_on)
        else:
            self._forget_bound()
            self.bound = token

    # --- lots, serials, products ---

    def _code(self, token: re.Match[str]) -> None:
        kind: Kind = self.label if self.label in ("lot", "serial", "product") else "lot"
        sure: Confidence = "medium" if self.label == kind or self.named or not self.found else "low"
        if self.labelled and self.label == kind:
            sure = "high"
        if kind == "product" and self.count and token[0].isdigit() and self._continues(token.start()):
            previous = self.found[-1]
            whole = self.text[previous.start : token.end()]
            self.found[-1] = replace(previous, end=token.end(), first=whole, last=whole)
            return
        if len(token[0]) == 1 and (sure != "high" or self.count):
            self._add("not_understood", token)
            return
        self.count, self.named = self.count + 1, self.named or kind != "product"
        for first, last, start, end in _pieces(token):
            before = self.found[-1] if self.found else None
            if (
                before is not None
                and self._joins(kind, start)
                and before.first == before.last
                and _counts(before.first, last)
            ):
                self.found[-1] = replace(before, end=end, last=last)
            else:
                self.found.append(Finding(kind, start, end, first, last, confidence=sure))

    def _continues(self, start: int) -> bool:
        """Whether the digits that begin at `start` go on with the number before them: UPCs are printed in groups."""
        previous = self.found[-1]
        return (
            previous.kind == "product"
            and start - previous.start < 30
            and self.text[previous.start : start].replace(" ", "").isdigit()
        )


_LABEL: Final[Mapping[str, Kind]] = {kind: kind for kind in ("lot", "serial", "product", *_DATED)}


def _pieces(token: re.Match[str]) -> Iterator[tuple[str, str, int, int]]:
    """`Z324-Z350` is a range, `1087/1086` are two; everything else is one."""
    text, start = token[0], token.start()
    ends = re.fullmatch(r"(([A-Za-z]\w*?)\d+)-(\2\d+)", text)
    slashed = re.fullmatch(r"(\w*\d\w*)/(\w*\d\w*)", text)
    if ends and _counts(ends[1], ends[3]):
        yield ends[1], ends[3], start, token.end()
    elif slashed and len(slashed[1]) == len(slashed[2]):
        for side in (1, 2):
            yield slashed[side], slashed[side], start + slashed.start(side), start + slashed.end(side)
    else:
        yield text, text, start, token.end()


def _counts(first: str | None, last: str) -> bool:
    """Whether one can count from the first to the last: the same before digits, of which both have as many."""
    low, high = _TAIL.fullmatch(first or ""), _TAIL.fullmatch(last)
    return bool(low and high and low[1] == high[1] and len(low[2]) == len(high[2]) and low[2] < high[2])
