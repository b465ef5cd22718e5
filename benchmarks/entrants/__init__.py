"""What is measured, a module each, started as a process of its own by `benchmarks.watch`.

An entrant prints one line of JSON when it is through. Beside Nightjar's own there is `limit`, the
least that the same work can cost; other systems stand in `benchmarks.peers`.
"""
