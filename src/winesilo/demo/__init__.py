"""``silo demo``: the main job on real input, end to end, checked at every step."""
