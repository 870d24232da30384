"""Asks Optuna for trials and tells it what became of them; its database is the truth about the search."""
