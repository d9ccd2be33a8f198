"""The words of recalls: what people write before a lot, a serial or a date, and how they write dates."""

from __future__ import annotations

import calendar
import datetime as dt
import re
from typing import Final

MONTHS: Final = {name.lower(): number for number, name in enumerate(calendar.month_abbr) if name}

_MONTH = (
    r"(?P<{0}>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)\.?"
)
_DAY, _YEAR = r"(?P<d{0}>\d{{1,2}})(?:st|nd|rd|th)?", r"(?P<y{0}>(?:20)?\d\d)"

# Tried in this order. Digits with nothing between them are no date: they are as likely a lot.
_DATES = (
    (r"(?P<y{0}>20\d\d)\s?[-/.]\s?(?P<m{0}>\d{{1,2}})\s?[-/.]\s?(?P<d{0}>\d{{1,2}})", "-"),
    (r"(?P<m{0}>\d{{1,2}})\s?/\s?(?P<d{0}>\d{{1,2}})\s?/\s?" + _YEAR, ""),
    (r"(?P<m{0}>\d{{1,2}})(?P<s{0}>[-.])(?P<d{0}>\d{{1,2}})(?P=s{0})" + _YEAR, "-"),
    (_MONTH.replace("{0}", "n{0}") + r"[ /-]{{0,2}}" + _DAY + r"(?:,\s?|[ /-]\s?)" + _YEAR, ""),
    (_DAY + r"[ /-]?" + _MONTH.replace("{0}", "n{0}") + r"[ /-]?" + _YEAR, ""),
    (_MONTH.replace("{0}", "n{0}") + r"(?:[/-]|,?\s)(?P<y{0}>20\d\d)", ""),
    (_MONTH.replace("{0}", "n{0}") + r"[/-](?P<y{0}>\d\d)", ""),
    (r"(?P<m{0}>0?[1-9]|1[0-2])\s?/\s?(?P<y{0}>20\d\d|[1-4]\d)", "-"),
    (_MONTH.replace("{0}", "n{0}") + r"\s" + _DAY, ""),
)
DATE: Final = "|".join(
    rf"(?<![\w/{after}]){form.format(number)}(?![\w/{after}])" for number, (form, after) in enumerate(_DATES)
)

_OF = r"(?:\s?(?:codes?|numbers?|num|nos?\b\.?|dates?|ids?|#'?s?|\(s\))){0,3}(?:\s?['\u2019]s)?"

LABELS: Final = {
    # What the words announce, in the order in which they are tried: a product code is no code.
    "product": r"upc|gtin|ean|sku|ndc|plu|plant|time\s?stamp|software versions?|reorder"
    r"|(?:item|product|cat(?:alog)?|model|ref)(?=\s?(?:#|codes?|numbers?|nos?\b))",
    "expiry": r"(?:best|better)\s?(?:if\s?)?(?:used?\s?)?(?:by|before|buy)"
    r"|(?:used?|sell|enjoy|freeze|consume|exp|eat)\s?(?:by|before|thr(?:u|ough))"
    r"|exp(?:ir(?:y|es|ed|ation|ing))?\b\.?|bbd?\b|bb/",
    "made": r"(?:manufactur(?:ed|ing|er)|manf\.?|mfg\.?|mfd\.?|produced|production|packed|packaged|pack|packing|baked"
    r"|made)"
    r"(?:\s?(?:on|from|date|between))\b|production(?=\sdates?)|date\s(?:produced|manufactured|packed)"
    r"|julian\sdates?",
    "traded": r"(?:distributed|delivered|purchased|sold|shipped)(?:\s(?:on|from|between|prior to|before|after))?\b",
    "serial": r"serial|s/n|units?(?=\s?(?:[#:]|nos?\b|numbers?))",
    "lot": r"lots?/units?|lots?|batch(?:es)?|daycodes?|codes?|manufacture\s?\#"
    r"|(?:date|day|case|bottom|manufactur(?:ing|e|er)|production|package|trace)\s?(?:codes?|\#)",
}
LABEL: Final = "|".join(rf"(?P<{kind}>(?<![A-Za-z])(?:{words}){_OF}(?![A-Za-z]))" for kind, words in LABELS.items())

ALL: Final = (
    r"\ball\s(?:(?:affected|distributed|unexpired)\s)?(?:lots?|codes?|lot\s(?:codes?|numbers?)|batch(?:es)?|products?"
    r"|units?|serials?|serial\snumbers|sizes|dates|package\ssizes|(?:best|use|sell)[ -]by(?:\sdates)?)\b"
)
NONE: Final = (
    r"\b(?:none|n/a|not\s(?:available|applicable|provided)|unknown"
    r"|no\s(?:lot\s)?(?:codes?|numbers?)(?:\sprovided)?)\b\.?"
)
UP_TO: Final = (
    r"\b(?:(?:and|or|&)\s(?:all\s)?(?:earlier|prior|before|older)"
    r"|(?:through|until|up\sto(?:\sand\sincluding)?|prior\sto|before))\b"
)
FROM_ON: Final = r"\b(?:(?:and|or)\s(?:later|after|newer|beyond)|(?:on\sor\s)?after)\b"
TO: Final = r"\s*(?:-|\u2013|\u2014|\b(?:to|thru|through)\b)\s*"
MEASURE: Final = (
    r"(?<![\w-])\d{1,2}:\d\d(?:\s?[ap]m)?\b|(?<![\w-])\d+(?:\.\d+)?\s?-?(?:fl\.?\s)?(?:oz|ozs|lbs?|g|kg|mg|ml|l|ct|count|pk"
    r"|packs?|inch(?:es)?|gal(?:lons?)?|cases?|am|pm|months?|days?|years?|bottles?|bags?|cups?|digits?|%)\b\.?"
)
MARKER: Final = r"(?<![\w-])(?:\d{1,2}|[a-z])\)"
# Of bounded length, so that no text takes time in the square of its length.
CODE: Final = r"(?<!\w)(?=[\w./-]{0,40}\d)[A-Z0-9](?:[\w./-]{0,60}\w)?(?!\w)"
FILLER: Final = (
    r"\b(?:and|or|of|the|with|on|is|are|in|a|an|also|dates?|numbers?|codes?|between|from|only|to|by)\b"
    r"|[^\w\s]+|\s+"
)

TOKEN: Final = re.compile(
    "|".join(
        (
            rf"(?P<none>{NONE})",
            rf"(?P<all>{ALL})",
            rf"(?P<date>{DATE})",
            LABEL,
            rf"(?P<up_to>{UP_TO})",
            rf"(?P<from_on>{FROM_ON})",
            rf"(?P<measure>{MEASURE})",
            rf"(?P<marker>{MARKER})",
            rf"(?P<code>{CODE})",
            rf"(?P<filler>{FILLER})",
            r"(?P<word>\w+)",
        )
    ),
    re.IGNORECASE,
)


def days_of(token: re.Match[str]) -> tuple[dt.date, dt.date] | None:
    """The first and the last day of a date as written: a day, or a month; None if there is no such day, or no year."""
    given = {name: text for name, text in token.groupdict().items() if text is not None and name[1:].isdigit()}
    parts = {name[0]: text for name, text in given.items()}
    if "y" not in parts:
        return None
    year = int(parts["y"]) + (2000 if len(parts["y"]) == 2 else 0)
    month = MONTHS[parts["n"][:3].lower()] if "n" in parts else int(parts["m"])
    day = int(parts["d"]) if "d" in parts else None
    if month > 12 and day is not None:  # written day first, as half of the world does
        month, day = day, month
    try:
        last = dt.date(year, month, day or calendar.monthrange(year, month)[1])
    except (ValueError, calendar.IllegalMonthError):
        return None
    return (last.replace(day=1) if day is None else last), last
