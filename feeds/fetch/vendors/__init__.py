"""One vendor a file, each behind `feeds.fetch.source.Source`."""
