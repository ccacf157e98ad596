"""How many faces and plates are found and hidden, by the measure of GB/T 44464-2024, 5.6.2."""
