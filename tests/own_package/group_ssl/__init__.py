"""Methods of a group's own."""
