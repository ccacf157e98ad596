"""The journal as people read it: listed, selected, joined and exported, also while the gateway writes."""
