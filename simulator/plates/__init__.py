"""Plates of vehicles, drawn: for scenes, for training what finds them, and for attacks on what hides them."""
