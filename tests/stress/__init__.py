"""Stress tests of the server: kills, bad networks, failing disks, fuzzing. See README.md.

`python -m tests.stress --help` lists the long runs; the short ones of `./t.sh` are `test_*.py`.
"""
