"""Proofs that the server stands: killed, cut off, starved, lied to. See README.md.

`python -m tests.stress --help` has the long runs; `test_*.py` are their short ones for ./t.sh.
"""
