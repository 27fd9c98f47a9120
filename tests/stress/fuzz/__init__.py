"""Fuzzing of everything that parses what strangers send, with mutations of valid input.

`targets` has one function for each parser, `seeds` the initial inputs. The tests generate input
with hypothesis, `python -m tests.stress fuzz` with atheris, which measures the code coverage.
"""
