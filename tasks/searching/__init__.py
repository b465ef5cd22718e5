"""Searching an index version: what is asked, the rows that are near, the answer made of them."""
