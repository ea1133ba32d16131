"""Text out of a file that anybody may have written, for messages."""


def printable(text: str, most: int = 60) -> str:
    """The text, fit for a terminal: `most` characters at most, none of which steers it."""
    return "".join(c if c.isprintable() else "?" for c in text[:most])
