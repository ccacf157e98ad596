"""The regulated items as data, and the bindings from signals to them."""
