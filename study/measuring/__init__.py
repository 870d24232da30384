"""Measures again, in other ways, what a study has trained."""
