"""What trials need of GPUs and processors, and how much of them each gets."""
