"""A seeded mutation fuzzer over phantoms and real files: python -m tests.fuzz --minutes N."""
