"""One process for each camera: the only place where its raw pixels are, and its supervisor in the gateway."""
