"""Static data of GB/T 32960.3 (annex A): what a maker registers of a vehicle once, checked row by row."""
