"""Results that people can look at: a page that opens from disk, and tables for papers."""
