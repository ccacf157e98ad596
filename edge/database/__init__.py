"""DBC, KCD, ARXML and SYM files, loaded through cantools and laid out as bits."""
