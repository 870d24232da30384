"""How trials stand and stood: what they have cost, how long they ran, how training went and ended."""
