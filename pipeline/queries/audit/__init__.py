"""The audit: stored rows rechecked in SQL, one .sql file an invariant, with tolerances that follow the precision."""
