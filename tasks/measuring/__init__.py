"""Measuring an index version: what it is asked, the truth, all ranks, and their figures."""
