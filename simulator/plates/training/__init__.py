"""Training of the detector of plates, on drawn plates alone; needs torch, as nothing else of nevgate."""
