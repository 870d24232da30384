"""Successive halving over several accuracies."""
