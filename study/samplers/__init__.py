"""Optuna's samplers as a study uses them."""
