"""The `mammo` command: text to one call; no science lives here."""
