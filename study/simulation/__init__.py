"""Searches replayed on recorded or synthetic learning curves, to compare samplers and schedulers."""
