"""Everything that reads what strangers send, fed with junk that is nearly right.

`targets` has one function for each parser, `seeds` what junk begins as; the tests feed them by
hypothesis, `python -m tests.stress fuzz` by atheris, which sees what code is reached.
"""
