"""Figures as files: their type, labels and legends as papers want them."""
