"""What a study searched, and which of it decides what was found."""
