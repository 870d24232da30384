"""Robustness-aware coreset selection (arXiv 2302.03857)."""
