"""Measures how far every group is behind, judges it, and tells an operator when a judgement changes.

It reads no event: offsets and times alone, with the right to describe and no other (docs/decisions/0020).
"""
