"""The papers' published figures, and a study's beside them."""
