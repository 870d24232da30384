"""Runs trials: in this process, on Ray, or from a recording."""
