"""The page for analysts: `desk` does the work, `page` (marimo) lays it out, `serve` shows it. `docs/studio.md`."""
