"""The panel lens: difference-in-differences and its kin on household x week panels."""
