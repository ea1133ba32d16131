"""Prepared images on disk: planned in shards, each committed whole, resumed by running it again."""
