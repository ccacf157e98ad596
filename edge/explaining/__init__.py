"""Explaining: for a signal, id, item, class or destination whether it is collected, and by which rule."""
