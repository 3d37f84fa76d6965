"""The audit: stored rows rechecked in SQL, one .sql file an invariant; tolerances follow the precision."""
