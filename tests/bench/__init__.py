"""Benchmarks: speed and memory as ratios, both sides measured in one run. `make bench` prints the table."""
