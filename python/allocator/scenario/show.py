"""Pictures and tables: what needs an extra, said once; a notebook shows the picture; a file is written whole."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, TypeAlias

from allocator.errors import FileError, Problem
from allocator.frames.write import whole

Chart: TypeAlias = Any
"""A picture; the kinds that altair has share no type that says what they can do."""

Table: TypeAlias = Any
"""A table of great-tables, an extra."""

Altair: TypeAlias = Any
"""altair itself, an extra that is loaded when something is drawn."""

Progress = Callable[[int, int], None]
"""Is told after each step how many are done, of how many."""

PACKAGES: Final = {"altair": "altair", "vl_convert": "vl-convert-python", "great_tables": "great-tables"}
"""Modules that pictures and tables need, and the packages that have them."""

SCALE: Final = 2
"""Pixels of a PNG for each of the picture: sharp on today's screens, and on paper."""

PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><style>body{{font-family:system-ui,sans-serif;margin:1.5rem;color:#1f2933}}
figure{{margin:0 0 1.5rem;overflow-x:auto}}svg{{max-width:100%;height:auto}}</style></head>
<body>
{body}
</body></html>
"""


def installed(*modules: str) -> None:
    """Finds out whether what draws is there.

    Raises:
        FileError: `extra_missing`.
    """
    missing = [PACKAGES[module] for module in modules if find_spec(module) is None]
    if missing:
        message, hint = "pictures and tables need packages that are not installed", "pip install 'allocator[plots]'"
        raise FileError(Problem("extra_missing", message, "plots", value=", ".join(missing), hint=hint))


def drawing() -> Altair:
    """altair, loaded when something is drawn.

    Raises:
        FileError: `extra_missing`.
    """
    installed("altair", "vl_convert")
    return import_module("altair")


class Tabled(ABC):
    """What has a table, and shows it in a notebook."""

    @abstractmethod
    def table(self) -> Table:
        """The table."""

    def _repr_mimebundle_(self, **_: object) -> Mapping[str, Any]:
        """What a notebook shows: the table, and what is there in words without the extra."""
        if find_spec("great_tables") is None:
            return {"text/plain": repr(self)}
        return {"text/plain": type(self).__name__, "text/html": self.table().as_raw_html()}


class Shown(Tabled):
    """What has a picture and a table, and writes them into files."""

    @abstractmethod
    def plot(self) -> Chart:
        """The picture."""

    def save(self, path: str | Path) -> None:
        """Writes the picture as `.png` or `.svg`, or picture and table as one `.html` that needs no network.

        Raises:
            FileError: `extra_missing`; `file_format`: another suffix; `file_unwritable`.
        """
        save([self], Path(path))


FORMATS: Final = (".html", ".png", ".svg")


def save(shown: list[Shown], path: Path) -> None:
    """Writes pictures and tables, one below the other; a PNG or SVG has the first picture alone.

    Raises:
        FileError: `extra_missing`, `file_format`, `file_unwritable`.
    """
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        hint = f"Use {', '.join(FORMATS)}"
        raise FileError(Problem("file_format", "no such format is drawn", "plots", value=str(path), hint=hint))
    installed(*PACKAGES)
    data: bytes
    if suffix == ".html":
        data = PAGE.format(title=path.stem, body="\n".join(map(_figure, shown))).encode()
    else:
        svg = svg_of(shown[0].plot())
        data = svg.encode() if suffix == ".svg" else png_of(svg)
    try:
        whole(path, partial(Path.write_bytes, data=data))
    except OSError as error:
        message = f"the file cannot be written: {error.strerror or error}"
        raise FileError(Problem("file_unwritable", message, "plots", value=str(path))) from None


def _figure(shown: Shown) -> str:
    return f"<figure>{svg_of(shown.plot())}</figure>\n<figure>{shown.table().as_raw_html()}</figure>"


def svg_of(chart: Chart) -> str:
    """The picture as SVG, drawn without a browser."""
    vl_convert, altair = import_module("vl_convert"), drawing()
    version = "v" + "_".join(altair.SCHEMA_VERSION.removeprefix("v").split(".")[:2])
    return str(vl_convert.vegalite_to_svg(chart.to_json(), vl_version=version))


def png_of(svg: str) -> bytes:
    """The picture as PNG."""
    return bytes(import_module("vl_convert").svg_to_png(svg, scale=SCALE))
