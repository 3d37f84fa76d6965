"""What every stage needs done for it: plan, attempts, records, manifests; a lease; a look at what trains."""
