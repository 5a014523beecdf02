"""SGD as it is, in steps of finite size: spread, tails, stability, exponents of escape."""
