"""Pictures and reports: bird's-eye views, learning curves, the page that tells what a run did."""
