"""Makes the programs of boards, at a desk: no vehicle needs it but to ask how a board fares."""
