"""Which neurons of two networks do the same, whatever their numbers are."""
