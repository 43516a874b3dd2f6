"""The figures the engine must reach, each printed beside a baseline measured in the same run.

Run ``bin/test benchmarks`` or ``python -m tests.benchmarks [NAME ...]``. These are not tests: a
bar that is missed is printed as missed, and the exit status stays 0. On a machine that does
other work at the same time, believe the ratios and not the milliseconds.
"""
