"""Parameter estimation problems in PEtab's tables: a known mechanism, what was measured of it, what is unknown."""
