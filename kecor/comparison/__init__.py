"""Many runs of several methods: planning, running, statistics and tables."""
