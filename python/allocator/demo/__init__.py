"""The demo: a year of real order lines of real stores, on stock that is derived by stated rules.

`source` reads the lines, `derive` makes the stock by the rules of `rules`, `figures` says what came of it, `plot` draws
it, `write` keeps it. `allocator demo` shows it.
"""

from allocator.demo.figures import Outcome, World, compared
from allocator.demo.plot import save_plot
from allocator.demo.source import check_installed, order_lines
from allocator.demo.write import policy, prepare_folder, write

__all__ = [
    "Outcome",
    "World",
    "check_installed",
    "compared",
    "order_lines",
    "policy",
    "prepare_folder",
    "save_plot",
    "write",
]
