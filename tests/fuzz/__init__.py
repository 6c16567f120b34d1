"""Parsers of what strangers send, each with inputs that a coverage-guided fuzzer makes up (atheris, libFuzzer).

A parser that is to take part is a row of `targets.TARGETS`. `test_fuzz.py` runs a short campaign of each in CI, and
`python -m bench fuzz --record` the long one.
"""
