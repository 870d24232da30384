"""Reads a study: its files, from its folder or MLflow, and what they call things."""
