"""Trials of a study that are chosen become a study of their own: what confirming and measuring have in common."""
