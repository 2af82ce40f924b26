"""What a call costs: this library beside the ways people call such an API, as ratios.

Run it with `python -m benchmarks`; see docs/performance.md.
"""
