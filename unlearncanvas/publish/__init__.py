"""What leaves a run: the report, submissions, trackers."""
