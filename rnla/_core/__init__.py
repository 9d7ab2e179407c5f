"""What every solver shares: random keys, checks, threads, the driver, statuses, results."""
