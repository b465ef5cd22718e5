"""What Nightjar costs, each figure beside its baseline, taken in the same run.

`python -m benchmarks` lists the benchmarks. Each runs what it measures in processes of its own and
watches them from outside; what it finds is a `benchmarks.result.Result`, kept as JSON.
"""
