"""What must be known about targeting and spend before effects can be compared, computed once."""
