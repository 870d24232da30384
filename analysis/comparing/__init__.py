"""Studies set side by side: whether they compare, wherein they differ, how much one found above another."""
