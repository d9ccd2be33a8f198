"""What an expert would write today instead of using this package, one module per tool.

Each module names the `WORKS` that it can do; `prepare(work, world)` does what is not timed and returns the call
that is: from columns in memory to line ids, stock ids and quantities, sorting and grouping included.
"""
