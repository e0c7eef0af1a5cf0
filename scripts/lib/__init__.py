"""What the scripts share: processes and waiting for them, HTTP on loopback, the simulated world, and named checks."""
