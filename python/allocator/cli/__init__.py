"""The command line, `allocator`: every command reads files, answers in tables or JSON, and leaves by a useful code.

`app` has the program and its exit codes, `commands` its commands by name; `given` reads what was given, `show` prints,
`save` writes; each other module is a group of commands. `docs/command-line.md` is for people.
"""

from allocator.cli.app import main

__all__ = ["main"]
