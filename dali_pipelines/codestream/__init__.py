"""Codestreams: what they say of themselves, where they end, whether all of them is there."""
